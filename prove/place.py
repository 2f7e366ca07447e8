"""A stand-in with many members and channels and the bot in it, and an account of every request made there."""

import asyncio
import contextlib
import io
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from playground.client import Interaction, Message, PlaygroundClient, PlaygroundServer
from tests.end_to_end.bot_process import BotProcess

# The limits must not be what is measured; the overload proof sets its own.
ROOMY = {
    "MAX_WAITING": "100000",
    "MAX_WAITING_PER_SERVER": "100000",
    "MAX_WAITING_IN_DIRECT_MESSAGES": "100000",
    "MAX_WAITING_PER_MEMBER": "100000",
}


def small_picture() -> bytes:
    """Return a picture that costs next to nothing to send and decode."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(file, "PNG")
    return file.getvalue()


@dataclass(slots=True)
class Account:
    """What became of the requests, by the id of their status message or of their interaction."""

    results: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, str] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)  # those whose status message says that they are done
    refused: list[str] = field(default_factory=list)
    unanswered: int = 0

    def take(self, interaction: Interaction) -> None:
        """Record how a request was answered."""
        if interaction.response is None:
            self.unanswered += 1
        elif interaction.ephemeral:
            self.refused.append(interaction.response.content.splitlines()[0])
        else:
            self.promised.add(interaction.response.id)

    def see(self, message: Message) -> None:
        """Record a new or changed message."""
        if message.reference is not None and message.attachments and message.author_is_bot:
            if message.id not in self.results[message.reference.message_id]:
                self.results[message.reference.message_id].append(message.id)
        elif message.content.startswith("⚠️"):
            self.failures[message.id] = message.content
        elif message.content.startswith("✅"):
            self.finished.add(message.id)

    @property
    def open(self) -> set[str]:
        """The accepted requests that are not finished: the result must be there, and the status message must say so."""
        ended = self.failures.keys() | {status for status in self.finished if self.results.get(status)}
        return self.promised - ended

    def counts(self) -> dict[str, int]:
        """Return how many requests ended in which way; a failure counts as lost."""
        shown = [len(self.results.get(status, ())) for status in self.promised]
        return {
            "promised": len(self.promised),
            "delivered": sum(1 for count in shown if count),
            "lost": sum(1 for count in shown if not count),
            "status left behind": sum(1 for status in self.promised if status not in self.finished),
            "shown twice": sum(1 for count in shown if count > 1),
            "refused": len(self.refused),
            "unanswered": self.unanswered,
        }


class Place:
    """The stand-in and the bot while they are running."""

    def __init__(self, bot: BotProcess, members: Sequence[str], channels: Sequence[str]) -> None:
        self.bot = bot
        self.client: PlaygroundClient = bot.client
        self.members, self.channels = members, channels
        self.account = Account()
        self._picture = small_picture()
        self._changed = asyncio.Event()

    async def ask_in_turn(self, number: int, **options: Any) -> Interaction:
        """Let the next member request a picture in the next channel; return how that was answered."""
        return await self.ask(number % len(self.members), number % len(self.channels), seed=number, **options)

    async def ask(self, member: int, channel: int | None = 0, **options: Any) -> Interaction:
        """Let a member request a picture, in direct messages if ``channel`` is None; return how that was answered."""
        asked = {"image": self._picture, "prompt": "a lighthouse", **options}
        name = self.members[member]
        where = f"@{name}" if channel is None else self.channels[channel]
        interaction = await self.client.command("img2img", asked, member=name, channel=where)
        self.account.take(interaction)
        return interaction

    async def follow(self) -> None:
        """Record what happens until cancelled."""
        last = (await self.client.state())["last_event"]
        while True:
            events = await self.client.events(last)
            for event in events:
                if event["number"] != last + 1:
                    raise RuntimeError("the stand-in has forgotten events that were not read yet")
                last = event["number"]
                if event["kind"].startswith("message_"):
                    self.account.see(Message.read(event["data"]))
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def settled(self, timeout_seconds: float, status_id: str | None = None) -> None:
        """Wait until no request, or not this one, is open any more, or until the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while status_id in self.account.open if status_id else self.account.open:
                    await self._changed.wait()

    def rows(self) -> Counter[str]:
        """Return the number of database rows in each state."""
        return Counter(dict(self.bot.rows("SELECT state, COUNT(*) FROM jobs GROUP BY state")))

    def processor_seconds(self) -> float:
        """Return the CPU seconds that the bot's own process has used so far."""
        spent = psutil.Process(self.bot.pid).cpu_times()
        return spent.user + spent.system

    def vitals(self) -> "Vitals":
        """Return what the bot's own process holds at the moment."""
        process = psutil.Process(self.bot.pid)
        with process.oneshot():
            return Vitals(process.memory_info().rss / 2**20, process.num_fds(), process.num_threads())


@dataclass(frozen=True, slots=True)
class Vitals:
    """A process's memory, open descriptors and threads."""

    mebibytes: float
    descriptors: int
    threads: int


@contextlib.asynccontextmanager
async def open_place(
    data_dir: Path,
    *,
    members: int,
    channels: int,
    engine: str | None = "create_engine",
    settings: Mapping[str, str] = ROOMY,
) -> AsyncIterator[Place]:
    """Open a stand-in with this many members and channels, and the bot; None as ``engine`` means the real one."""
    arguments = ("bot",) if engine is None else ("prove.loaded_bot", engine)
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        names = [f"Member{number}" for number in range(members)]
        places = [f"channel-{number}" for number in range(channels)]
        for name in names:
            await server.client.add_member(name)
        for place in places:
            await server.client.add_channel(place)
        usual = {"STATUS_INTERVAL_SECONDS": "3", **settings}  # edits are part of the load
        async with BotProcess(server, data_dir, usual, arguments=arguments) as bot:
            place = Place(bot, names, places)
            following = asyncio.create_task(place.follow(), name="follow")
            try:
                yield place
            finally:
                following.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await following
