"""The bot as a process of its own, pointed at a stand-in by its settings alone; only its engine can be held."""

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from playground.client import Interaction, Message, PlaygroundServer
from tests.end_to_end.patient_engine import HOLD

# Passing tests never reach these timeouts: they allow for slow machines, and end what hangs.
READY_SECONDS = RESULT_SECONDS = 600.0
ACKNOWLEDGE_SECONDS = 60.0
PHOTOGRAPHS = Path(__file__).parents[2] / "playground" / "photographs"
CAT = PHOTOGRAPHS / "cat.jpg"


def stand_in() -> PlaygroundServer:
    """Return a stand-in that gives the bot all the time a busy machine may need, except where a test takes it away."""
    return PlaygroundServer(bot_name="Palimpsest", acknowledge_seconds=ACKNOWLEDGE_SECONDS)


def told(interaction: Interaction) -> str:
    """Return what the member was told in an ephemeral response."""
    assert interaction.ephemeral, interaction
    assert interaction.response is not None
    return interaction.response.content


def wait_until_dead(processes: Sequence[psutil.Process]) -> None:
    """Wait until processes that somebody else has to reap have stopped running; raise AssertionError after 60 s.

    Where many processes end, as in a container, reaping them can take seconds.
    """
    deadline = time.monotonic() + 60
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < deadline, f"{process} outlives its parent"
                time.sleep(0.005)


# A bot that can be made to die on demand and generates without a model.
QUICK = ("prove.mortal_bot", "--quick")


class BotProcess:
    """Starts, stops and kills the bot; its data folder survives.

    ``arguments`` are the module that Python runs, with its arguments: by default the bot with the real engine, which
    can be held. ``within`` is a command that becomes the bot.
    """

    def __init__(
        self,
        server: PlaygroundServer,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        *,
        arguments: Sequence[str] = ("tests.end_to_end.patient_bot",),
        within: Sequence[str] = (),
    ) -> None:
        self._command = (*within, sys.executable, "-m", *arguments)
        self.server = server
        self.client = server.client
        self.data_dir = data_dir
        # One slot and no sharing, so that others wait for the job that is held; and the same numbers on every machine.
        painting = {"SLOTS": "1", "STRICT": "true", "DTYPE": "float32"}
        own = {"DATA_DIR": str(data_dir), "MONITORING_PORT": "0", "STATUS_INTERVAL_SECONDS": "0.1", **painting}
        self._environment = {**os.environ, **server.bot_environment(), **own, **(settings or {})}
        self._process: asyncio.subprocess.Process | None = None
        self.log_file = data_dir / "bot.log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start the bot and wait until it has registered its commands and is connected."""
        await self.launch()
        assert await self.becomes_ready(), f"the bot ended with {await self.ended()}:\n{self.log}"

    async def launch(self, *more: str) -> None:
        """Start the bot, with more arguments, once the stand-in has seen the previous one disconnect."""
        await self.client.wait_until_bot_gone(RESULT_SECONDS)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, *more, env=self._environment, stderr=log, stdout=log
            )

    async def becomes_ready(self) -> bool:
        """Wait until the bot is connected; return False if it exits before that."""
        assert self._process is not None
        ready = asyncio.ensure_future(self.client.wait_until_bot_ready(timeout_seconds=READY_SECONDS))
        ended = asyncio.ensure_future(self._process.wait())
        await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ended.cancel()
            await ready
            return True
        ready.cancel()
        return False

    async def ended(self) -> int:
        """Wait until the bot exits and return its exit status (negative: the signal that killed it)."""
        assert self._process is not None
        return await self._process.wait()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        assert self._process is not None
        self._process.terminate()

    async def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.ask_to_stop()
        return await self.ended()

    async def kill(self) -> None:
        """Send SIGKILL and wait until the bot and its children are gone."""
        assert self._process is not None
        if self._process.returncode is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            await self._process.wait()
            await asyncio.to_thread(wait_until_dead, children)

    @property
    def pid(self) -> int:
        """The bot's own process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def process(self) -> psutil.Process:
        """The bot's process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    @property
    def log(self) -> str:
        """What the bot has logged in all its runs."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def child(self, module: str) -> psutil.Process:
        """Return the child process that runs a module."""
        assert self._process is not None
        for process in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                if module in process.cmdline():
                    return process
        raise AssertionError(f"the bot has no child {module}")

    async def img2img(self, image: bytes | Path = CAT, prompt: str = "a cat on a beach", **options: Any) -> Message:
        """Run ``/img2img`` and return its status message as first shown."""
        where = {name: options.pop(name) for name in ("member", "channel", "filename") if name in options}
        interaction = await self.client.command("img2img", {"image": image, "prompt": prompt, **options}, **where)
        assert interaction.response is not None, interaction
        return interaction.response

    async def run_unacknowledged(self, prompt: str, *, channel: str = "general") -> Interaction:
        """Run a command whose acknowledgement never gets through, until Discord calls it failed; the fault stays."""
        fault = await self.client.add_fault(r"^/interactions/.*/callback$", method="POST", action="hang")
        options = {"image": CAT, "prompt": prompt, "steps": 4}
        asking = asyncio.create_task(self.client.command("img2img", options, channel=channel))
        await self.client.wait_for_fault(fault)
        await self.client.advance_clock(ACKNOWLEDGE_SECONDS)
        return await asking

    async def result_of(self, status: Message) -> Message:
        """Wait for the result that replies to a status message, and until the bot has recorded it."""
        result = await self.shown_result_of(status)
        await self.status_with(status, "✅ Done")
        return result

    async def shown_result_of(self, status: Message) -> Message:
        """Wait for the result that replies to a status message; the bot may not have recorded it yet."""

        def is_result(message: Message) -> bool:
            assert message.id != status.id or "⚠️" not in message.content, message.content
            return message.reference is not None and message.reference.message_id == status.id

        return await self.client.wait_for_message(is_result, channel=status.channel, timeout_seconds=RESULT_SECONDS)

    async def answer_to(self, message: Message) -> Message:
        """Wait for the bot's reply to a message: a job's status, in any state by now, or a sentence."""

        def is_answer(answer: Message) -> bool:
            return answer.author_is_bot and answer.reference is not None and answer.reference.message_id == message.id

        return await self.client.wait_for_message(is_answer, channel=message.channel, timeout_seconds=RESULT_SECONDS)

    async def told_at_last(self, interaction: Interaction) -> str:
        """Return what the member was told in an ephemeral response, which may have been deferred."""
        if text := told(interaction):
            return text
        assert interaction.response is not None
        done = await self.client.wait_for_edit(interaction.response.id, lambda message: message.content != "")
        assert done.ephemeral
        return done.content

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds that no event announces."""
        async with asyncio.timeout(RESULT_SECONDS):
            while not holds():
                await self.client.state()

    async def status_with(self, status: Message, text: str) -> Message:
        """Wait until a status message contains a text."""
        return await self.client.wait_for_edit(status.id, lambda message: text in message.content, RESULT_SECONDS)

    @contextlib.contextmanager
    def held(self, step: int = 1) -> Iterator[None]:
        """Hold the running job after a step for as long as the block lasts; a later step can follow."""
        hold = self.data_dir / HOLD
        hold.with_suffix(".new").write_text(str(step))
        hold.with_suffix(".new").replace(hold)
        try:
            yield
        finally:
            hold.unlink(missing_ok=True)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Query the bot's database from outside."""
        database = f"file:{self.data_dir}/palimpsest.sqlite3?mode=ro"
        connection = sqlite3.connect(database, uri=True, timeout=RESULT_SECONDS)
        with contextlib.closing(connection):
            return connection.execute(statement, values).fetchall()

    def job(self, status: Message) -> tuple[str, str | None, dict[str, Any]]:
        """Return the state of a status message's job and, for a failure, its kind and data."""
        statement = "SELECT state, failure_kind, failure_data FROM jobs WHERE status_message_id = ?"
        ((state, kind, data),) = self.rows(statement, int(status.id))
        return state, kind, json.loads(data)

    async def wait_until_command_says(self, command: str, pattern: str, **who: Any) -> None:
        """Run a command until its response matches a pattern."""
        async with asyncio.timeout(RESULT_SECONDS):
            while True:
                interaction = await self.client.command(command, {}, **who)
                if interaction.response is not None and re.search(pattern, interaction.response.content):
                    return

    async def queue_says(self, text: str, channel: str = "general") -> None:
        """Run ``/queue`` until its response contains a text."""
        await self.wait_until_command_says("queue", text, channel=channel)

    async def results(self, status: Message) -> list[Message]:
        """Return all messages in the channel that reply to a status message."""
        messages = await self.client.messages(status.channel)
        answers = [message for message in messages if message.reference and message.reference.message_id == status.id]
        return [message for message in answers if not message.ephemeral]
