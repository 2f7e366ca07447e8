"""Requests that are generated together, each arriving at a given step of the first one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.input_picture import fitted_image, fitted_mask
from generation.engine.order import Order, Painted
from generation.requests import Img2ImgRequest
from tests.generation.engine.conftest import RecordedRun


class Company:
    """Orders in an engine's loop; the steps of the first are the clock by which the others arrive and leave."""

    def __init__(self, engine: DiffusersEngine) -> None:
        self._engine = engine
        self._at_step: dict[int, list[Callable[[], None]]] = {}
        self._first: Order | None = None

    def order(self, wanted: Img2ImgRequest, *, at_step: int = 0, cancel_at_step: int | None = None) -> Order:
        """Schedule a request after this many steps of the first one; ``cancel_at_step`` counts its own steps."""
        run = RecordedRun(cancel_at_step=cancel_at_step)
        if self._first is None:
            run.step = self._tell(run.step)  # type: ignore[method-assign]
        entry = self._engine._catalog[wanted.model]
        order = Order(wanted, fitted_image(wanted, entry), run, repaint_mask=fitted_mask(wanted, entry))
        if self._first is None:
            self._first = order
        else:
            self._at_step.setdefault(at_step, []).append(lambda: self._engine._loop.submit(order))
        return order

    def begin(self) -> None:
        """Submit the first one, together with those scheduled at step 0."""
        assert self._first is not None
        self._engine._loop.submit(self._first)
        for act in self._at_step.pop(0, []):
            act()

    def _tell(self, step: Callable[..., None]) -> Callable[..., None]:
        def told(done: int, total: int, preview: bytes | None = None) -> None:
            for act in self._at_step.pop(done, []):
                act()  # on the loop's own thread, so that they are there before its next turn
            step(done, total, preview)

        return told


def painted(order: Order, index: int = 0) -> Painted:
    """Wait for a picture and return it."""
    return order.pictures[index].result(timeout=300)


@contextmanager
def watched_denoiser(engine: DiffusersEngine, hear: Callable[[dict[str, Any]], Any]) -> Iterator[None]:
    """Pass the arguments of every denoiser call to ``hear``; a value that it returns replaces the prediction."""
    unet = engine._models._model.pipeline.unet  # type: ignore[union-attr]

    def hook(_: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any], output: Any) -> Any:
        return hear({"latents": args[0], "timesteps": args[1], "output": output[0], **kwargs})

    handle = unet.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
