"""Who acts, where, and on what; actions are grouped by the row of the table that says who may perform them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from playground.client import Message
from tests.end_to_end.bot_process import PHOTOGRAPHS, BotProcess

CHANNEL = "permissions"
DRAWING = PHOTOGRAPHS / "drawing-house.png"


class Person(NamedTuple):
    """Who acts, and where. The object of the action always belongs to the requester and is in the same channel."""

    member: str
    channel: str = CHANNEL

    @property
    def bots_name(self) -> str:
        return "" if self.channel.startswith("@") else "@Palimpsest "


REQUESTER = "Ada"
BLOCKED = "Katherine"
PEOPLE = {
    "requester": Person(REQUESTER),
    "other member": Person("Linus"),
    "blocked member": Person(BLOCKED),
    "moderator": Person("Grace"),
    "operator": Person("Margaret"),
    "direct message": Person(REQUESTER, f"@{REQUESTER}"),
}

# The first characters of a status message without an error; it may be in any of these states when a test looks.
UNDER_WAY = ("📥", "🕐", "⏸️", "💤", "🎨", "📤", "✅")


class Stage(NamedTuple):
    """The server, and results of the requester that no action deletes."""

    bot: BotProcess
    results: dict[str, Message]

    async def asked(self, channel: str) -> Message:
        """Return the status message of a small request by the requester."""
        return await self.bot.img2img(member=REQUESTER, channel=channel, steps=2, seed=1)

    async def result(self, channel: str) -> Message:
        """Return a result of the requester to act on."""
        if channel not in self.results:
            self.results[channel] = await self.bot.result_of(await self.asked(channel))
        return self.results[channel]

    async def painted(self, person: Person, status: Message | None) -> str | None:
        """Wait for a picture for this person, or return the first line of what they are told instead."""
        assert status is not None
        if not status.content.startswith(UNDER_WAY):
            return first_line(status.content)
        made = await self.bot.result_of(status)
        assert made.mentions == [person.member]
        assert made.attachments
        return None

    async def operator(self, verb: str, **options: str | float | Path) -> None:
        await self.bot.client.command(f"operator {verb}", options, member="Margaret", channel=CHANNEL)


Act = Callable[[Stage, Person], Awaitable[str | None]]


class Acts(dict[str, dict[str, Act]]):
    """Actions by row and name; each returns the first line of a refusal, or None if it was performed."""

    def of(self, row: str, name: str = "") -> Callable[[Act], Act]:
        """Register the decorated function as an action of a row."""
        return lambda function: self.setdefault(row, {}).setdefault(name or row, function)


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def unless(expected: str, line: str) -> str | None:
    return None if expected in line else line
