"""The one thread that owns the device; it serves all orders slice by slice, so that none blocks it for long."""

import contextlib
import gc
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from generation.engine.base import OutOfMemory
from generation.engine.caches import make_caches
from generation.engine.course import Course, course_of
from generation.engine.denoising import Denoising
from generation.engine.device import free_memory
from generation.engine.device_work import DeviceWork
from generation.engine.faults import fault_of
from generation.engine.loaded_models.loading import LoadedModel
from generation.engine.loaded_models.resident_models import ResidentModels
from generation.engine.order import Order, Painted
from generation.engine.step_batches import StepBatches
from generation.engine.width import FixedWidth, MeasuredWidth
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

# How many pictures of the model in memory may overtake one whose model has to be loaded.
_OVERTAKING = 8


@dataclass(slots=True, eq=False)
class _Picture:
    """One picture of an order in progress."""

    order: Order
    index: int
    model: LoadedModel
    course: Course


class DeviceLoop:
    """Generate the pictures of all orders in turns: a slice of encoding or decoding, a step of a batch, and so on.

    ``StepBatches`` decides which pictures share calls of a denoiser. A picture whose model is not in memory waits until
    those in progress are done.

    ``start`` runs the loop in a thread. Without it, the caller drives the loop through ``accept`` and ``turn``.
    """

    def __init__(
        self,
        models: ResidentModels,
        device: torch.device,
        *,
        max_width: int,
        strict: bool = False,
        make_width: Callable[[int], FixedWidth] = MeasuredWidth,
        data_dir: Path | None = None,
    ) -> None:
        self._models = models
        self._device = device
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._orders: list[Order] = []  # unsettled ones, in order of arrival
        self._waiting: deque[tuple[Order, int]] = deque()  # pictures that have not begun
        self._overtaken = 0  # how many pictures have overtaken the first of them
        self._sliced: deque[_Picture] = deque()  # pictures with work other than denoising
        self._denoised: dict[Denoising, _Picture] = {}
        self._work = DeviceWork(device)
        self._batches = StepBatches(self._work, max_width=max_width, strict=strict, make_width=make_width)
        self._caches = make_caches(data_dir)
        self._is_short_of_memory = False
        self._to_lower: set[str] = set()  # models that ran out of it
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, order: Order) -> None:
        """Queue an order; its pictures are settled from the loop's thread."""
        self._inbox.put(partial(self.accept, order))

    def load(self, model: str) -> Future[None]:
        """Load a model into memory, unless an order is being served."""
        loaded: Future[None] = Future()
        self._inbox.put(partial(self._load, model, loaded))
        return loaded

    def close(self) -> None:
        """Stop the thread; whatever is not settled stays so."""
        self._inbox.put(None)
        self._thread.join()

    @torch.no_grad()
    def _serve(self) -> None:
        while True:
            while not self._orders or not self._inbox.empty():
                while not self._orders and self._inbox.empty() and self._models.improve():
                    pass  # in slices of a few milliseconds, so that a new order hardly waits
                if not self._take_in():
                    return
            try:
                self.turn()
            except Exception as error:
                # The last line of defence: a bug in this loop fails the orders being served, but not the thread.
                log.error("the device loop broke\n%s", stack_of(error))
                for order in list(self._orders):
                    self._fail(order, error)

    def turn(self) -> None:
        """Do a little work for every order."""
        self._begin()
        self._slice()
        self._step()
        self._send_heartbeats()
        if not self._orders:
            self._work.finish()  # no later piece of work will, and it keeps tensors alive
        if self._is_short_of_memory:  # nothing refers to the error any more, which kept tensors alive
            self._is_short_of_memory = False
            self._work.finish()
            self._caches.clear()
            self._models.stop_capturing()
            gc.collect()
            free_memory(self._device)
            while self._to_lower:
                self._models.lower(self._to_lower.pop())

    def _take_in(self) -> bool:
        """Wait for the next message and handle it; return whether the thread should go on."""
        message = self._inbox.get()
        if message is None:
            return False
        message()
        return True

    def _attend(self, busy: Order) -> None:
        """Attend to the other orders while ``busy`` has the device to itself, new ones included."""
        while not self._inbox.empty():
            if not self._take_in():
                self._inbox.put(None)  # the thread ends once this order is done
                break
        self._send_heartbeats(busy)

    def _send_heartbeats(self, busy: Order | None = None) -> None:
        """Let every order report that it is alive and notice cancellation; ``busy`` does so itself."""
        for order in [order for order in self._orders if order is not busy]:
            with self._failing(order):
                order.heartbeat()

    # Incoming orders ----------------------------------------------------------------------------------------------

    def accept(self, order: Order) -> None:
        """Take an order; only for the loop's thread, or for a caller that drives the loop."""
        self._orders.append(order)
        self._waiting.extend((order, index) for index in range(order.request.count))

    def _load(self, model: str, loaded: Future[None]) -> None:
        try:
            if not self._orders:  # otherwise the first request for it loads it
                self._models.get(model, lambda: None)
                while self._inbox.empty() and self._models.pack():
                    pass  # until an order arrives, which should not wait for all of it
            loaded.set_result(None)
        except Exception as error:
            loaded.set_exception(error)

    def _begin(self) -> None:
        """Begin every picture whose model is in memory; switch models when no picture is in progress."""
        for waiting in list(self._waiting):
            if waiting not in self._waiting:
                continue  # its order has just failed because of another picture
            order, index = waiting
            is_first, is_here = waiting == self._waiting[0], self._models.is_resident(order.request.model)
            if not is_here and (not is_first or self._sliced or self._denoised):
                continue
            if not is_first and self._overtaken >= _OVERTAKING:
                continue
            self._overtaken = 0 if is_first else self._overtaken + 1
            self._waiting.remove(waiting)
            with self._failing(order):
                model = self._models.get(order.request.model, order.heartbeat)
                attend = partial(self._attend, order)
                course = course_of(model, order, index, caches=self._caches, attend=attend)
                self._sliced.append(_Picture(order, index, model, course))

    # Pictures in progress -----------------------------------------------------------------------------------------

    def _slice(self) -> None:
        """Advance encoding and decoding for about as long as a denoising step takes, so that both make progress."""
        end = time.perf_counter() + self._batches.step_seconds
        while self._sliced:
            self._resume(self._sliced.popleft())
            if time.perf_counter() >= end:
                break

    def _resume(self, picture: _Picture) -> None:
        order, painted = picture.order, None
        with self._failing(order):
            with self._work.piece(order.took):
                try:
                    denoising = next(picture.course)
                except StopIteration as end:
                    denoising, painted = None, end.value
            if painted is not None:
                self._work.finish()  # otherwise its device time would be reported too late
                self._settle(order, picture.index, painted)
            elif denoising is None:
                self._sliced.appendleft(picture)
            else:
                self._batches.join(picture.model, denoising)
                self._denoised[denoising] = picture

    def _settle(self, order: Order, index: int, painted: Painted) -> None:
        if all(picture.done() for number, picture in enumerate(order.pictures) if number != index):
            self._orders.remove(order)
        order.pictures[index].set_result(painted)

    def _step(self) -> None:
        """Take one denoising step with one batch."""
        for denoising in self._batches.step():
            picture = self._denoised.pop(denoising, None)
            if picture is None:
                continue  # its order has just failed because of another picture
            if denoising.failure is None:
                self._sliced.append(picture)
            else:
                self._fail(picture.order, denoising.failure)

    # Failures -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _failing(self, order: Order) -> Iterator[None]:
        """Turn an error inside the block into the failure of one order, and of no other."""
        try:
            yield
        except Exception as error:
            self._fail(order, error)

    def _fail(self, order: Order, error: BaseException) -> None:
        fault = fault_of(error) if isinstance(error, Exception) else None
        is_short_of_memory = fault is OutOfMemory or isinstance(error, OutOfMemory)
        self._is_short_of_memory |= is_short_of_memory
        if order not in self._orders:
            return
        self._leave(order)
        if is_short_of_memory and not order.has_begun_again and self._models.can_be_lowered(order.request.model):
            self._to_lower.add(order.request.model)
            order.begin_again()
            undone = [index for index, picture in enumerate(order.pictures) if not picture.done()]
            self._waiting.extendleft((order, index) for index in reversed(undone))
            return
        self._orders.remove(order)
        order.fail(error if fault is None else fault())

    def _leave(self, order: Order) -> None:
        """Remove the pictures of an order, wherever they are."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] is not order)
        for picture in [each for each in (*self._sliced, *self._denoised.values()) if each.order is order]:
            picture.course.close()
        self._sliced = deque(picture for picture in self._sliced if picture.order is not order)
        self._denoised = {each: picture for each, picture in self._denoised.items() if picture.order is not order}
        self._batches.leave(order)
