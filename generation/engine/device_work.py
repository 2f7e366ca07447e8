"""Work queued on a device: at most one piece ahead, so that the device is never idle while the next is submitted."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from generation.engine.device import wait_for


class DeviceEvent:
    """A point in a device's queue, reached when all earlier work is done; anywhere but on CUDA, creating it waits."""

    def __init__(self, device: torch.device) -> None:
        self._event = torch.cuda.Event(enable_timing=True) if device.type == "cuda" else None
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(device))
        else:
            wait_for(device)
        self._seconds = time.perf_counter()

    @property
    def is_reached(self) -> bool:
        """Whether the device has reached it; raises errors of the work before it."""
        return self._event is None or self._event.query()

    def wait(self) -> None:
        """Wait until the device reaches it; raise errors of the work before it."""
        if self._event is not None:
            self._event.synchronize()

    def seconds_since(self, earlier: "DeviceEvent") -> float:
        """Return the seconds that the device took between an earlier event and this one, which it has reached."""
        if self._event is None or earlier._event is None:
            return self._seconds - earlier._seconds
        return earlier._event.elapsed_time(self._event) / 1000


class DeviceWork:
    """Time pieces of work; each ends when the piece before it is done, while a GPU may still compute this one.

    Submitting a sampler's step to a GPU takes as long as a tenth of a denoiser call, during which the GPU would idle.
    Being more than one piece ahead would only delay new orders and cancellation.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._under_way: tuple[DeviceEvent, DeviceEvent, Callable[[float], None]] | None = None

    @contextmanager
    def piece(self, took: Callable[[float], None]) -> Iterator[None]:
        """Submit a piece of work inside the block; ``took`` receives its seconds once it is done."""
        began = DeviceEvent(self._device)
        yield
        before, self._under_way = self._under_way, (began, DeviceEvent(self._device), took)
        _end(before)
        if self._device.type != "cuda":
            self.finish()

    def finish(self) -> None:
        """Wait until all submitted work is done."""
        under_way, self._under_way = self._under_way, None
        _end(under_way)


def _end(piece: tuple[DeviceEvent, DeviceEvent, Callable[[float], None]] | None) -> None:
    if piece is not None:
        began, ended, took = piece
        ended.wait()
        took(ended.seconds_since(began))
