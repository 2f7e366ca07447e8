"""What the bot says to messages that it cannot take: a sentence, and no flood of them."""

import asyncio
from types import SimpleNamespace
from typing import Any

from bot.conversation import Conversation


class Channel:
    """Takes the bot's replies when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self.is_open = asyncio.Event()

    def message(self, author_id: int, content: str) -> Any:
        async def reply(_text: str, **_: Any) -> None:
            self.asked.append(content)
            await self.is_open.wait()
            self.said.append(content)

        author = SimpleNamespace(id=author_id, bot=False)
        return SimpleNamespace(author=author, content=content, guild=None, reply=reply, is_system=lambda: False)


async def test_whoever_writes_faster_than_the_bot_may_answer_is_answered_once() -> None:
    client: Any = SimpleNamespace(metrics=SimpleNamespace(refused=lambda _: None))
    conversation, channel = Conversation(client), Channel()
    hearing = [asyncio.create_task(conversation.hear(channel.message(1, f"{number}"))) for number in range(5)]
    hearing.append(asyncio.create_task(conversation.hear(channel.message(2, "0,7"))))
    await asyncio.sleep(0)
    channel.is_open.set()
    await asyncio.gather(*hearing)
    assert channel.said == channel.asked == ["0", "0,7"]
    await conversation.hear(channel.message(1, "5"))  # the line is free again
    assert channel.said[-1] == "5"
