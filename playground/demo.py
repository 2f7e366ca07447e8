"""The whole system on one machine: the stand-in, the real bot, and one photograph sent through ``/img2img``."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from generation.settings import GenerationSettings, WrongSettings, read_settings
from playground.client import Message, PlaygroundServer
from playground.client.process import ServerEnded

T = TypeVar("T")

PHOTOGRAPHS = Path(__file__).with_name("photographs")
PORT = os.environ.get("PLAYGROUND_PORT") or "0"
LARGEST_PORT = 65535
PROMPT = "a cat on a beach"
SEED = 2  # a seed that suits the small model, so that the first picture is a good one
READY_SECONDS, RESULT_SECONDS = 300.0, 600.0
ACKNOWLEDGE_SECONDS = 30.0  # Discord allows 3; here a small machine may be loading the model at the same time
STOP_GRACE_SECONDS = 35.0


@contextlib.asynccontextmanager
async def running_bot(server: PlaygroundServer, data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the bot as a process of its own, pointed at the stand-in by its settings alone; stop it at the end."""
    environment = {**os.environ, **server.bot_environment(), "DATA_DIR": str(data_dir)}
    # In a session of its own, so that a terminal's Ctrl+C reaches only this process, which then stops the bot: a Python
    # process that is still starting would print a traceback.
    command = (sys.executable, "-m", "bot")
    bot = await asyncio.create_subprocess_exec(*command, env=environment, start_new_session=True)
    try:
        yield bot
    finally:
        if bot.returncode is None:
            bot.terminate()
        try:
            await asyncio.wait_for(bot.wait(), STOP_GRACE_SECONDS)
        except TimeoutError:
            bot.kill()
            await bot.wait()


async def send_photograph(server: PlaygroundServer) -> tuple[Message, float]:
    """Send the bundled photograph through ``/img2img``; return the result's message and the seconds it took."""
    began = time.monotonic()
    photograph = PHOTOGRAPHS / "cat.jpg"
    interaction = await server.client.command("img2img", {"image": photograph, "prompt": PROMPT, "seed": SEED})

    status = interaction.response
    if status is None:
        raise ConnectionError("the bot did not acknowledge the command")

    def is_end(message: Message) -> bool:
        is_result = message.reference is not None and message.reference.message_id == status.id
        return is_result or (message.id == status.id and message.content.startswith("⚠️"))

    result = await server.client.wait_for_message(is_end, timeout_seconds=RESULT_SECONDS)
    if not result.attachments:
        raise ConnectionError(result.content.splitlines()[0])
    return result, time.monotonic() - began


async def show(bot_data_dir: Path, *, once: bool) -> int:
    """Run the demonstration; return 0 if the picture arrived (beside the bot's folder). Without ``once`` go on."""
    this_task = asyncio.current_task()
    assert this_task is not None
    for name in ("SIGTERM", "SIGHUP"):  # SIGHUP: the terminal was closed
        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows has none that can be handled
            if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:  # ignored under nohup
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), this_task.cancel)
    async with (
        PlaygroundServer(
            port=int(PORT),
            bot_name="Palimpsest",
            acknowledge_seconds=ACKNOWLEDGE_SECONDS,
            unjudged=not os.environ.get("DISCORD_OPENAPI"),  # it would have to be downloaded
        ) as server,
        running_bot(server, bot_data_dir) as bot,
    ):
        print("This is the playground, a stand-in for Discord on this machine; it needs no token.")
        print("Starting the bot and its model …", flush=True)
        try:
            await _or_end_of(bot, server.client.wait_until_bot_ready(timeout_seconds=READY_SECONDS))
            print(f"Sending {PHOTOGRAPHS.name}/cat.jpg through /img2img with the prompt “{PROMPT}” …", flush=True)
            result, seconds = await _or_end_of(bot, send_photograph(server))
        except (TimeoutError, ConnectionError) as error:
            print(f"The picture did not arrive: {error or type(error).__name__}", file=sys.stderr)
            return 1
        attachment = result.attachments[0]
        path = bot_data_dir.parent / f"result{Path(attachment.filename).suffix}"
        path.write_bytes(await server.client.download(attachment.url))
        print(f"seed {seed_in(path)} · {seconds:.1f} seconds · {path}")
        if once:
            return 0
        print(
            f"\nThe channel is at {server.address}. Open it, drop a picture and type a prompt. Ctrl+C stops it all.",
            flush=True,
        )
        await _stay_up(bot)
        return 0


def seed_in(path: Path) -> int:
    """Return the seed from a result's own metadata."""
    from generation.images.metadata import read_parameters  # Pillow is only loaded once there is a picture

    parameters = read_parameters(path.read_bytes())
    assert parameters is not None, "every result carries its parameters"
    return int(parameters["seed"])


async def _or_end_of(bot: asyncio.subprocess.Process, work: Coroutine[Any, Any, T]) -> T:
    """Wait for the work, or raise ConnectionError as soon as the bot ends."""
    task, end = asyncio.ensure_future(work), asyncio.ensure_future(bot.wait())
    try:
        await asyncio.wait((task, end), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ConnectionError(f"the bot ended with status {bot.returncode}; see its last lines above")
        return task.result()
    finally:  # also on cancellation: neither should find its connection closed later
        task.cancel()
        end.cancel()
        await asyncio.gather(task, end, return_exceptions=True)


async def _stay_up(bot: asyncio.subprocess.Process) -> None:
    """Wait for Ctrl+C, SIGTERM or the end of the bot."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C cancels this task instead
            loop.add_signal_handler(number, stop.set)
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(bot.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; return the exit status: 0 done, 1 no picture, 2 a wrong argument or setting."""
    argparse.ArgumentParser(
        prog="python -m playground",
        description="Run the bot in a stand-in for Discord on this machine, and send one photograph through it.",
        epilog="In the environment, ONCE=1 stops it after that picture, and PLAYGROUND_PORT sets the port of its page"
        " (default: any free one). All of the bot's settings apply, except those for Discord.",
    ).parse_args(arguments)
    if not PORT.isdecimal() or int(PORT) > LARGEST_PORT:
        print(f"PLAYGROUND_PORT must be a port number, not {PORT}.", file=sys.stderr)
        return 2
    try:
        data_dir = read_settings(GenerationSettings).data_dir
    except WrongSettings as error:
        print(error, file=sys.stderr)
        return 2
    folder = data_dir / "playground"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A folder of its own: channels and messages are lost with the stand-in, and another playground may be running.
        bot_data = tempfile.TemporaryDirectory(prefix="bot-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        print(f"DATA_DIR, {data_dir}, cannot be written ({error.strerror}).", file=sys.stderr)
        return 2
    with bot_data as bot_data_dir:
        try:
            return asyncio.run(show(Path(bot_data_dir), once=os.environ.get("ONCE", "") not in ("", "0")))
        except (KeyboardInterrupt, asyncio.CancelledError):
            return 0
        except ServerEnded as error:
            print(f"The playground could not start: {error}.", file=sys.stderr)
            return 1
