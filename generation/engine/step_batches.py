"""The groups of pictures that share calls of a denoiser, and which of them gets the next call."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial

import torch

from generation.engine.calls.denoiser import denoise
from generation.engine.denoising import Denoising
from generation.engine.device_work import DeviceWork
from generation.engine.loaded_models.loading import LoadedModel
from generation.engine.order import Order
from generation.engine.step_batch import StepBatch
from generation.engine.width import FixedWidth
from generation.requests import Img2ImgRequest


class StepBatches:
    """Let pictures of one model and one shape share calls of at most ``max_width`` rows; these groups take turns.

    ``make_width`` makes the object that finds out how many rows pay off. With ``strict`` each picture is a group of its
    own.
    """

    def __init__(
        self, work: DeviceWork, *, max_width: int, strict: bool, make_width: Callable[[int], FixedWidth]
    ) -> None:
        self._work = work
        self._max_width = max_width
        self._strict = strict
        self._make_width = make_width
        self._widths: dict[Hashable, FixedWidth] = {}
        self._batches: dict[tuple[Hashable, Hashable], StepBatch] = {}
        self._tick = 0
        self.step_seconds = 0.0  # of the last step known to be done

    def join(self, model: LoadedModel, denoising: Denoising) -> None:
        """Let a picture take part in calls, from the next one on."""
        shape = (model.entry.name, denoising.key)
        key = (shape, denoising if self._strict else None)
        if key not in self._batches:
            rows = min(self._max_width, model.plan.batch_width)
            width = self._widths.setdefault(shape, self._make_width(rows))
            width.bound(rows)  # the plan may have been lowered since
            self._batches[key] = StepBatch(partial(_denoise, model, denoising.order.request), width)
        self._batches[key].add(denoising, self._tick)

    def leave(self, order: Order) -> None:
        """Remove the pictures of an order from all groups."""
        for batch in self._batches.values():
            batch.remove(order)
        self._drop_empty()

    def step(self) -> list[Denoising]:
        """Take one step with the group that has waited longest, if there is one; return the pictures that left.

        Each of them is either done or has its own ``failure``. The call's device time is charged to the orders that
        took part.
        """
        if not self._batches:
            return []
        (shape, _), batch = min(self._batches.items(), key=lambda item: item[1].last_tick)
        self._tick += 1
        admitted: list[Denoising] = []
        with self._work.piece(partial(self._took, self._widths[shape], admitted)):
            taken, left = batch.step(self._tick)
            admitted.extend(taken)
        self._drop_empty()
        return left

    def _took(self, width: FixedWidth, admitted: Sequence[Denoising], seconds: float) -> None:
        self.step_seconds = seconds
        rows = sum(each.rows for each in admitted)
        width.learn(rows, seconds)
        for denoising in admitted:
            denoising.order.took(seconds / rows * denoising.rows)

    def _drop_empty(self) -> None:
        # An empty group would keep its model in memory.
        self._batches = {key: batch for key, batch in self._batches.items() if batch.pictures}


def _denoise(
    model: LoadedModel,
    request: Img2ImgRequest,
    latents: torch.Tensor,
    timesteps: torch.Tensor,
    conditioning: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """Call the denoiser with the adapters of this request, which are the same for its whole group."""
    model.adapters.use(request.adapters)
    if model.fast_denoiser is not None:
        adapters = model.adapters.contents_of(request.adapters)
        return model.fast_denoiser(latents, timesteps, conditioning, adapters=adapters)
    return denoise(model.pipeline, latents, timesteps, conditioning)
