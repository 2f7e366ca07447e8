"""The parent's side of decoding: a child kept ready, with a deadline and a memory limit, replaced when it fails."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from generation.child.frames import Frame
from generation.child.parent import ChildProcess
from generation.errors import ExecutorError, ImageRefused
from generation.images.memory_wall import HAS_KERNEL_WALL, watched
from generation.images.refusals import Refusal
from generation.images.scan import is_clean

log = logging.getLogger(__name__)

MAX_INPUT_BYTES = 25 * 1024 * 1024
MAX_CHILD_BYTES = 512 * 1024**2
START_SECONDS = 60.0
ENCODE_SECONDS = 60.0  # our own pictures are harmless, but a slow machine needs long for a large one
# For glibc: many arenas would reserve address space that counts towards the limit, and by default the memory of a large
# picture is kept for the next one, in fragments that do not fit it.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}


def read_input(path: Path) -> bytes:
    """Return a file's bytes, at most one more than may be decoded. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_INPUT_BYTES + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanImage:
    """A picture that is safe to pass on.

    ``data`` is a PNG, upright, without metadata, at most 2,048 px per side, ``width`` × ``height``: RGB on white,
    with an alpha channel (RGBA) if parts of the file were transparent or marked by a mask.
    ``original_width`` × ``original_height`` is the upright size of the file as sent in, ``format`` its format ("PNG",
    "JPEG", "GIF", "WebP", "AVIF"), ``sha256`` the hexadecimal digest of its bytes. ``seconds`` is the time that
    decoding took, without the wait for a free child.
    """

    data: bytes
    width: int
    height: int
    original_width: int
    original_height: int
    format: str
    sha256: str
    seconds: float


class _ChildDied(Exception):
    """The child ended without an answer, or gave one that only a compromised child would give."""


class ImageDecoder:
    """Decode pictures, one after another, in a child process that may be killed.

    A child that misses ``deadline_seconds``, dies, exceeds ``memory_bytes`` or has handled ``max_images_per_child``
    pictures is replaced by a fresh one in the background, and the next picture is served.
    """

    def __init__(
        self,
        *,
        deadline_seconds: float = 10.0,
        max_input_bytes: int = MAX_INPUT_BYTES,
        memory_bytes: int = MAX_CHILD_BYTES,
        max_images_per_child: int = 500,
        kernel_wall: bool = HAS_KERNEL_WALL,
        worker: str = "generation.images.worker",
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._max_input_bytes = max_input_bytes
        self._memory_bytes = memory_bytes
        self._max_images_per_child = max_images_per_child
        self._kernel_wall = kernel_wall
        self._worker = worker
        self._child: ChildProcess | None = None
        self._pictures = 0  # given to this child
        self._turn = asyncio.Lock()
        self._replacing: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start the child and return when it is ready; raise ExecutorError if that is impossible."""
        async with self._turn:
            await self._warm_child()

    async def decode(self, data: bytes, mask: bytes | None = None) -> CleanImage:
        """Decode one picture, with the file of its mask if there is one.

        Raises ImageRefused (with ``of_mask`` if only the mask is at fault), or ExecutorError if no child can be
        started.
        """
        self._check_length(data)
        if mask is not None:
            self._check_length(mask, of_mask=True)
        files = (data,) if mask is None else (data, mask)
        answer, seconds = await self._answer(Frame("decode", blobs=files), self._deadline_seconds)
        return CleanImage(data=answer.blobs[0], seconds=seconds, **answer.fields)

    def _check_length(self, data: bytes, **about: bool) -> None:
        if not data:
            raise ImageRefused(Refusal.EMPTY, **about)
        if len(data) > self._max_input_bytes:
            raise ImageRefused(Refusal.TOO_MANY_BYTES, limit_bytes=self._max_input_bytes, **about)

    async def encode_smaller(self, data: bytes, *, max_bytes: int) -> tuple[bytes, str]:
        """Re-encode one of our own result files, including its parameters; return (file, media type).

        Raises ImageRefused (``result_too_large`` if not even a low-quality JPEG fits), or ExecutorError.
        """
        frame = Frame("encode_smaller", {"max_bytes": max_bytes}, (data,))
        answer, _ = await self._answer(frame, ENCODE_SECONDS)
        return answer.blobs[0], answer.fields["media_type"]

    async def close(self) -> None:
        """Stop the child; anyone still waiting for a picture gets ExecutorError."""
        self._closed = True
        await self._end_child()
        async with self._turn:
            if self._replacing is not None:
                await self._replacing
            await self._end_child()

    async def _answer(self, frame: Frame, deadline_seconds: float) -> tuple[Frame, float]:
        """Return the child's answer and how many seconds it took.

        If the child dies for no known reason, another one tries once more: the picture need not be the cause.
        """
        for _ in range(2):
            with contextlib.suppress(_ChildDied):
                async with self._turn:
                    return await self._answer_of_next_child(frame, deadline_seconds)
        raise ImageRefused(Refusal.CRASHED)

    async def _answer_of_next_child(self, frame: Frame, deadline_seconds: float) -> tuple[Frame, float]:
        child = await self._warm_child()
        keep = False
        try:
            started = time.perf_counter()
            answer = await self._ask(child, frame, deadline_seconds)
            seconds = time.perf_counter() - started
            if answer.kind == "decoded" and not is_clean(answer.blobs[0]):
                log.error("a decode child did not return a clean picture; a hostile file may have taken it over")
                raise _ChildDied
            keep = not answer.fields.get("is_spent") and self._pictures < self._max_images_per_child
        finally:
            # After a cancellation too: the outstanding answer must not be mistaken for the next picture's.
            if not keep:
                self._replacing = asyncio.create_task(self._replace())
        if answer.kind == "refused":
            raise ImageRefused(Refusal(answer.fields["reason"]), **answer.fields["data"])
        return answer, seconds

    async def _ask(self, child: ChildProcess, frame: Frame, deadline_seconds: float) -> Frame:
        self._pictures += 1
        watching = watched(child, self._memory_bytes, active=not self._kernel_wall)
        try:
            async with asyncio.timeout(deadline_seconds), watching as watch:
                await child.send(frame)
                answer = await child.receive()
        except TimeoutError:
            raise ImageRefused(Refusal.TOO_SLOW, seconds=deadline_seconds) from None
        if answer is not None:
            return answer
        if watch.tripped:
            raise ImageRefused(Refusal.TOO_MUCH_MEMORY)
        log.warning("a decode child died on its picture %d", self._pictures)
        raise _ChildDied

    async def _warm_child(self) -> ChildProcess:
        """Return the child, started if there is none; raise ExecutorError."""
        if self._replacing is not None:
            await asyncio.wait([self._replacing])
        if self._closed:
            raise ExecutorError("the image decoder is closed")
        if self._child is None:
            self._child, self._pictures = await self._start_child(), 0
        return self._child

    async def _start_child(self) -> ChildProcess:
        wall = self._memory_bytes if self._kernel_wall else 0
        child = await ChildProcess.spawn(self._worker, str(wall), environment=_ENVIRONMENT, trusted=False)
        await child.get_ready(START_SECONDS)
        return child

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

    async def _replace(self) -> None:
        """Kill the child and start a new one in its place; if that fails, the next picture tries again."""
        await self._end_child()
        if not self._closed:
            try:
                self._child, self._pictures = await self._start_child(), 0
            except ExecutorError as error:
                log.error("no new decode child could be started: %s", error)
