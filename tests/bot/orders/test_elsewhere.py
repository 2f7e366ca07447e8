"""A request from a place where the bot is not moves to direct messages, whatever Discord does about it."""

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.errors import Refused
from bot.monitoring.invalid_requests import WINDOW_SECONDS
from bot.orders.closed_direct_messages import MAX_REFUSED, ClosedDirectMessages
from bot.orders.elsewhere import moved_to_direct_messages
from bot.replies import error_sentence
from tests.bot.jobs_made import make_origin

ORIGIN = make_origin(guild_id=None, settings_channel_id=None, is_elsewhere=True)
DIRECT, STATUS = 7, 8


def trouble(status: int, code: int) -> discord.HTTPException:
    kind = discord.Forbidden if status == 403 else discord.HTTPException
    return kind(cast("Any", SimpleNamespace(status=status, reason="")), {"code": code, "message": ""})


class Person:
    """Somebody who uses the bot elsewhere; ``opening``, ``writing`` and ``linking`` are what Discord refuses."""

    def __init__(
        self,
        *,
        opening: Exception | None = None,
        writing: Exception | None = None,
        linking: Exception | None = None,
    ) -> None:
        self.sent: list[str] = []
        self.seen: list[str] = []
        self._opening, self._writing, self._linking = opening, writing, linking
        self.interaction: Any = SimpleNamespace(
            id=5,
            user=SimpleNamespace(create_dm=self._open),
            response=SimpleNamespace(defer=self._defer),
            edit_original_response=self._show,
        )

    async def _defer(self, *, ephemeral: bool, thinking: bool) -> None:
        assert ephemeral
        assert thinking
        self.seen.append("thinking")

    async def _open(self) -> Any:
        if self._opening is not None:
            raise self._opening
        return SimpleNamespace(id=DIRECT, jump_url="the direct messages", send=self._send)

    async def _send(self, text: str, *, view: discord.ui.View, nonce: str) -> Any:
        assert view.children, "the status message has its buttons"
        assert nonce == "5"
        if self._writing is not None:
            raise self._writing
        self.sent.append(text)
        return SimpleNamespace(id=STATUS, jump_url="the status message")

    async def _show(self, *, content: str) -> None:
        if self._linking is not None:
            raise self._linking
        self.seen.append(content)


async def ask(person: Person, closed: ClosedDirectMessages | None = None) -> int:
    """Have the person's request accepted, and return the id of its status message."""
    closed = closed or ClosedDirectMessages()
    view = discord.ui.View()
    view.add_item(discord.ui.Button(label="Cancel"))
    async with moved_to_direct_messages(person.interaction, ORIGIN, closed) as (there, acknowledge):
        assert (there.channel_id, there.guild_id, there.is_elsewhere) == (DIRECT, None, False)
        assert person.seen == ["thinking"], "Discord has been answered before anything takes long"
        return await acknowledge("heard", view)


async def test_the_status_message_is_written_there_and_linked_here() -> None:
    person = Person()
    assert await ask(person) == STATUS
    assert person.sent == ["<@1> heard"]
    assert person.seen[-1].endswith(" the status message")


@pytest.mark.parametrize(("status", "code"), [(403, 50007), (403, 50278), (400, 50007)])
@pytest.mark.parametrize("moment", ["opening", "writing"])
async def test_who_cannot_be_written_to_is_told_what_to_do(moment: str, status: int, code: int) -> None:
    person = Person(**{moment: trouble(status, code)})
    with pytest.raises(Refused, match="direct_messages_closed") as refused:
        await ask(person)
    assert "allow direct messages" in (error_sentence(refused.value) or "")
    assert person.seen == ["thinking"]


@pytest.mark.parametrize("moment", ["opening", "writing"])
async def test_a_bot_that_opens_too_many_direct_messages_does_not_blame_the_person(moment: str) -> None:
    with pytest.raises(Refused, match="direct_messages_paused") as refused:
        await ask(Person(**{moment: trouble(403, 40003)}))
    assert "in a few minutes" in (error_sentence(refused.value) or "")


async def test_nobody_makes_discord_refuse_any_number_of_messages() -> None:
    now = 0.0
    closed = ClosedDirectMessages(clock=lambda: now)
    for _ in range(MAX_REFUSED):
        with pytest.raises(Refused, match="direct_messages_closed"):
            await ask(Person(writing=trouble(403, 50007)), closed)
    with pytest.raises(Refused, match="direct_messages_refused"):
        await ask(Person(), closed)
    closed.require_attempt_left(ORIGIN.requester_id + 1)
    now = WINDOW_SECONDS
    assert await ask(Person(), closed) == STATUS


async def test_other_trouble_is_not_mistaken_for_closed_direct_messages() -> None:
    with pytest.raises(discord.HTTPException, match="503"):
        await ask(Person(opening=trouble(503, 0)))


async def test_a_status_message_that_comes_later_is_linked_by_its_channel() -> None:
    person = Person()
    async with moved_to_direct_messages(person.interaction, ORIGIN, ClosedDirectMessages()):
        pass  # accepted, but Discord was out of reach
    assert person.seen[-1].endswith(" the direct messages")


async def test_a_link_that_cannot_be_shown_does_not_undo_the_request() -> None:
    assert await ask(Person(linking=trouble(503, 0))) == STATUS
