"""Pictures of one model and one shape, denoised together: each call of the denoiser serves all of them."""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence

import torch

from generation.engine.base import DeviceLost, OutOfMemory
from generation.engine.denoising import Denoising
from generation.engine.device import free_memory
from generation.engine.faults import fault_of
from generation.engine.order import Order
from generation.engine.width import FixedWidth

log = logging.getLogger(__name__)

# From (latents, timesteps, conditioning) of all rows to the prediction for all rows.
Denoiser = Callable[[torch.Tensor, torch.Tensor, Mapping[str, torch.Tensor]], torch.Tensor]


class StepBatch:
    """Pictures that may share calls of the denoiser, each at its own timestep.

    A picture joins before any step and leaves as soon as it is done. ``width`` limits the rows of one call; if more
    pictures want to take part, those that have waited longest go first.
    """

    def __init__(self, denoiser: Denoiser, width: FixedWidth) -> None:
        self._width = width
        self.pictures: list[Denoising] = []
        self._denoiser = denoiser

    @property
    def last_tick(self) -> int:
        """The tick of the last call of the picture that has waited longest."""
        return min(picture.last_tick for picture in self.pictures)

    def add(self, picture: Denoising, tick: int) -> None:
        """Let a picture join; its wait begins at ``tick``."""
        picture.last_tick = tick
        self.pictures.append(picture)

    def remove(self, order: Order) -> None:
        """Remove the pictures of an order."""
        self.pictures = [picture for picture in self.pictures if picture.order is not order]

    def step(self, tick: int) -> tuple[list[Denoising], list[Denoising]]:
        """Take one step with as many pictures as fit into a call; return those that took part and those that left.

        A picture that left is either done or has its own ``failure``.
        """
        admitted = self._admit(tick)
        predictions = self._predict(admitted)
        self._advance(predictions)
        return admitted, self._retire()

    def _admit(self, tick: int) -> list[Denoising]:
        admitted: list[Denoising] = []
        free_rows = self._width.rows
        for picture in sorted(self.pictures, key=lambda picture: picture.last_tick):  # stable: ties stay as they came
            if picture.rows <= free_rows or not admitted:
                admitted.append(picture)
                picture.last_tick = tick
                free_rows -= picture.rows
        return admitted

    def _predict(self, pictures: Sequence[Denoising]) -> list[tuple[Denoising, torch.Tensor]]:
        """Call the denoiser; on an error, halve the call until the picture that causes it is alone."""
        fault: type[OutOfMemory] | type[DeviceLost] | None = None
        try:
            return self._call(pictures)
        except Exception as error:
            fault = fault_of(error)
            if fault is DeviceLost or (fault is None and len(pictures) == 1):
                for picture in pictures:
                    picture.failure = fault() if fault else error
                return []
        # Outside the except block: the error's traceback keeps the tensors of the call alive.
        if fault is OutOfMemory:
            gc.collect()
            free_memory(pictures[0].latents.device)
        if fault is OutOfMemory and len(pictures) == 1:
            pictures[0].failure = OutOfMemory()
            return []
        half = len(pictures) // 2
        if fault is OutOfMemory:
            self._width.narrow(sum(picture.rows for picture in pictures))
            log.warning("not enough memory; a call of the denoiser has %d rows from now on", self._width.most)
        return [*self._predict(pictures[:half]), *self._predict(pictures[half:])]

    def _call(self, pictures: Sequence[Denoising]) -> list[tuple[Denoising, torch.Tensor]]:
        inputs = [picture.model_input() for picture in pictures]
        latents, timesteps = (torch.cat(parts) for parts in zip(*inputs, strict=True))
        names = pictures[0].conditioning.tensors
        conditioning = {name: torch.cat([picture.conditioning.tensors[name] for picture in pictures]) for name in names}
        timesteps = timesteps.to(latents.device, non_blocking=True)
        prediction = self._denoiser(latents, timesteps, conditioning)
        return list(zip(pictures, prediction.split([picture.rows for picture in pictures]), strict=True))

    @staticmethod
    def _advance(predictions: Sequence[tuple[Denoising, torch.Tensor]]) -> None:
        for picture, prediction in predictions:
            try:
                picture.advance(prediction)
                picture.order.step_done(picture.index, len(picture.timesteps), picture.preview)
            except Exception as error:  # a cancelled run or a sampler's error concerns only this picture
                picture.failure = error

    def _retire(self) -> list[Denoising]:
        left = [picture for picture in self.pictures if picture.is_done or picture.failure is not None]
        self.pictures = [picture for picture in self.pictures if picture not in left]
        return left
