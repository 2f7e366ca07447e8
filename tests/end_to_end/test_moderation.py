"""What is not shown: words and pictures through the whole bot, by place and by policy."""

import pytest

from bot.replies import refusal_sentence
from playground.client import Message
from tests.end_to_end.bot_process import BotProcess
from tests.pictures import encoded, flesh

ADULTS, EVERYBODY = "adults", "everybody"
FLESH = encoded(flesh(), "PNG")


@pytest.fixture(scope="module", autouse=True)
async def _channels(bot: BotProcess) -> None:
    await bot.client.add_channel(ADULTS, age_restricted=True)
    await bot.client.add_channel(EVERYBODY)


async def asked(bot: BotProcess, channel: str, **options: object) -> Message:
    return await bot.img2img(channel=channel, steps=2, seed=1, **options)  # type: ignore[arg-type]


def is_hidden(message: Message) -> bool:
    return all(attachment.spoiler for attachment in message.attachments)


async def test_sexual_words_are_for_age_restricted_channels_and_with_minors_for_none(bot: BotProcess) -> None:
    refused = await asked(bot, EVERYBODY, prompt="a nud\u200be person")
    assert refused.ephemeral
    assert refused.content.startswith(refusal_sentence("words_sexual", {}))
    assert (await bot.result_of(await asked(bot, ADULTS, prompt="a nude person"))).attachments
    for channel in (EVERYBODY, ADULTS):
        refused = await asked(bot, channel, prompt="a sexy 12-year-old")
        assert refused.ephemeral
        assert refused.content.startswith(refusal_sentence("words_forbidden", {}))


async def test_a_picture_is_refused_here_and_hidden_there(bot: BotProcess) -> None:
    refused = await asked(bot, EVERYBODY, image=FLESH, filename="flesh.png")
    shown = await bot.status_with(refused, refusal_sentence("input_blocked", {}))
    assert "Reference" in shown.content
    assert await bot.results(refused) == []
    hidden = await bot.result_of(await asked(bot, ADULTS, image=FLESH, filename="flesh.png"))
    assert is_hidden(hidden)
    plain = await bot.result_of(await asked(bot, EVERYBODY))
    assert not is_hidden(plain)
