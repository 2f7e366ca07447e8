"""The parent's handle on its child, in race conditions that real processes seldom hit."""

import asyncio
import os
import signal
import struct
import sys
from typing import Any, cast

import pytest

from generation.child.frames import MAX_BLOBS, MAX_BYTES, Frame
from generation.child.parent import ChildProcess


class Process:
    """A stand-in for a process whose output the test feeds; it is dead once its output has ended."""

    def __init__(self) -> None:
        self.stdout = asyncio.StreamReader()
        self.stdin = self
        self.ended = asyncio.Event()
        self.returncode: int | None = None
        self.pid = -1  # no real process

    def close(self) -> None:
        """Close its input."""

    async def wait(self) -> int:
        await self.ended.wait()
        return -9

    def end(self) -> None:
        self.stdout.feed_eof()
        self.ended.set()


@pytest.fixture
def nobody_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test decide when its process is dead."""
    monkeypatch.setattr(ChildProcess, "_send_kill", lambda child: None)


@pytest.mark.usefixtures("nobody_is_killed")
async def test_a_kill_and_a_listener_do_not_take_each_others_end_away() -> None:
    """A message arrives just as the child is killed: the listener is woken, but the killer reads first."""
    process = Process()
    child = ChildProcess(cast("Any", process))
    listening = asyncio.create_task(child.receive())
    await asyncio.sleep(0)  # now it is waiting
    killing = asyncio.create_task(child.kill())
    process.stdout.feed_data(Frame("pong").pack()[:5])
    for _ in range(3):
        await asyncio.sleep(0)
    process.end()
    async with asyncio.timeout(60):  # for ever, if both wait on the same stream
        assert await listening is None
        assert await killing == -9


@pytest.mark.usefixtures("nobody_is_killed")
async def test_what_nobody_reads_is_read_to_its_end_at_a_kill() -> None:
    process = Process()
    child = ChildProcess(cast("Any", process))
    process.stdout.feed_data(Frame("pong").pack())
    killing = asyncio.create_task(child.kill())
    await asyncio.sleep(0)
    process.end()
    assert await killing == -9
    assert await child.receive() is None


@pytest.mark.parametrize("lengths", [(2, 1, MAX_BYTES), (2, MAX_BLOBS + 1), (MAX_BYTES + 1, 0)])
async def test_a_message_that_would_fill_the_memory_is_none(lengths: tuple[int, ...]) -> None:
    process = Process()
    child = ChildProcess(cast("Any", process))
    head_length, blob_count, *sizes = lengths
    process.stdout.feed_data(struct.pack(f"<II{len(sizes)}Q", head_length, blob_count, *sizes))
    async with asyncio.timeout(60):  # for ever, if it waits for what was announced
        assert await child.receive() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
async def test_whoever_is_killed_by_others_at_the_same_moment_died_of_that() -> None:
    for _ in range(20):
        child = await ChildProcess.spawn("tests.generation.child.waiting_child")
        await child.get_ready(60)
        os.kill(child.pid, signal.SIGKILL)
        assert await child.receive() is None
        assert await child.kill() == -signal.SIGKILL
