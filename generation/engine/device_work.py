"""What a device was told and has not done yet: one piece of work at most, so that it is never idle while it is told."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from generation.engine.device import wait_for


class Moment:
    """A point in what a device is told, reached when it has done everything before; a CPU reaches it at once."""

    def __init__(self, device: torch.device) -> None:
        self._event = torch.cuda.Event(enable_timing=True) if device.type == "cuda" else None
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(device))
        else:
            wait_for(device)
        self._seconds = time.perf_counter()

    @property
    def is_reached(self) -> bool:
        """Whether the device is here; raise what went wrong on its way."""
        return self._event is None or self._event.query()

    def wait(self) -> None:
        """Wait until the device is here; raise what went wrong on its way."""
        if self._event is not None:
            self._event.synchronize()

    def seconds_since(self, earlier: "Moment") -> float:
        """Return how long the device took from an earlier moment to this one, which it has reached."""
        if self._event is None or earlier._event is None:
            return self._seconds - earlier._seconds
        return earlier._event.elapsed_time(self._event) / 1000


class DeviceWork:
    """Measure pieces of work; return from each when the one before is done, while a card still works on this one.

    To tell a card a step of a sampler takes as long as a tenth of a call, in which it would have nothing to do. More
    than one piece ahead would only delay those who come, and what is cancelled.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._under_way: tuple[Moment, Moment, Callable[[float], None]] | None = None

    @contextmanager
    def piece(self, took: Callable[[float], None]) -> Iterator[None]:
        """Tell the device a piece of work inside; ``took`` hears its seconds once it is done."""
        began = Moment(self._device)
        yield
        before, self._under_way = self._under_way, (began, Moment(self._device), took)
        _end(before)
        if self._device.type != "cuda":
            self.finish()

    def finish(self) -> None:
        """Wait until everything is done."""
        under_way, self._under_way = self._under_way, None
        _end(under_way)


def _end(piece: tuple[Moment, Moment, Callable[[float], None]] | None) -> None:
    if piece is not None:
        began, ended, took = piece
        ended.wait()
        took(ended.seconds_since(began))
