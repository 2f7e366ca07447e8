"""Who may do what: one table, and every cell performed through the stand-in by the person of its column.

To add a person, add a column to ``TABLE`` and a line to ``PEOPLE``; to add an action, write it in ``permissions/`` for
an existing row or a new one. A row may have several actions.
"""

from collections.abc import AsyncIterator

import pytest

from bot.replies import refusal_sentence
from playground.client import PlaygroundError
from tests.end_to_end.bot_process import QUICK, BotProcess, stand_in
from tests.end_to_end.permissions.acts import ACTS
from tests.end_to_end.permissions.commands import COMMANDS
from tests.end_to_end.permissions.stage import BLOCKED, CHANNEL, PEOPLE, Stage

# "yes": it works. "no offer": Discord's own client does not allow it. Anything else is the reason of a refusal, and
# exactly its sentence is shown to the person, ephemerally. Notices to moderators are in the server, wherever the person
# acts. "given to all" are commands that the server grants to everybody in its Integrations settings, so that only the
# bot's own check is left.
TABLE = """
row                                     | requester        | other member        | blocked member      | moderator        | operator | direct message
ask for a picture                       | yes              | yes                 | member_blocked      | yes              | yes      | yes
commands for everybody                  | yes              | yes                 | yes                 | yes              | yes      | yes
commands for moderators                 | no offer         | no offer            | no offer            | yes              | yes      | no offer
commands for moderators, given to all   | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes      | no offer
commands for the operator               | no offer         | no offer            | no offer            | no offer         | yes      | not_the_operator
commands for the operator, given to all | not_the_operator | not_the_operator    | not_the_operator    | not_the_operator | yes      | not_the_operator
a form the requester opened             | yes              | no offer            | no offer            | no offer         | no offer | yes
button Delete                           | yes              | not_yours_to_delete | not_yours_to_delete | yes              | yes      | yes
button Before/after                     | yes              | not_yours_to_show   | not_yours_to_show   | not_yours_to_show | not_yours_to_show | yes
button Cancel                           | yes              | not_yours_to_cancel | not_yours_to_cancel | yes              | yes      | yes
button Report                           | yes              | yes                 | yes                 | yes              | yes      | yes
buttons for moderators                  | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes      | not_a_moderator
delete the request                      | yes              | no offer            | no offer            | yes              | yes      | yes
delete a message of the bot's           | no offer         | no offer            | no offer            | yes              | yes      | no offer
mention alone                           | yes              | yes                 | yes                 | yes              | yes      | yes
"""  # noqa: E501

# Unknown interaction, unknown command, missing access, missing permissions.
NO_OFFER = (10062, 10063, 50001, 50013)

HEAD, *ROWS = ([cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines())
BY_ROW = {row: {**COMMANDS.get(row, {}), **ACTS.get(row, {})} for row, *_ in ROWS}
CELLS = [
    pytest.param(row, name, column, cell, id=f"{name} by {column}")
    for row, *cells in ROWS
    for name in BY_ROW[row]
    for column, cell in zip(HEAD[1:], cells, strict=True)
]


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path_factory.mktemp("bot"), arguments=QUICK) as bot,
    ):
        await bot.client.add_channel(CHANNEL)
        await bot.client.add_member(BLOCKED)
        await bot.client.command("moderation block add", {"member": BLOCKED}, member="Grace", channel=CHANNEL)
        yield Stage(bot, {})


@pytest.mark.parametrize(("row", "name", "column", "cell"), CELLS)
async def test_who_may_do_what(stage: Stage, row: str, name: str, column: str, cell: str) -> None:
    if cell == "no offer":
        with pytest.raises(PlaygroundError) as client:
            await BY_ROW[row][name](stage, PEOPLE[column])
        assert client.value.code in NO_OFFER
    else:
        refused = await BY_ROW[row][name](stage, PEOPLE[column])
        assert refused == (None if cell == "yes" else refusal_sentence(cell, {}))


def test_every_row_has_acts_and_every_column_is_a_person() -> None:
    assert set(BY_ROW) == {*COMMANDS, *ACTS}
    assert HEAD[1:] == list(PEOPLE)
