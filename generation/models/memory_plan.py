"""How a model is held in memory and how wide a call may be, decided before anything is loaded."""

from dataclasses import dataclass, replace
from enum import StrEnum

from generation.models.sizes import ModelSizes

# What the process takes of the device's memory before it has loaded anything: the CUDA context; Python, torch and
# diffusers (measured: docs/performance.md).
BASE_BYTES = {"cuda": 500 * 2**20, "mps": 0, "cpu": 420 * 2**20}
BYTES_OF = {"float32": 4, "float16": 2, "bfloat16": 2}
# A layer computes with some tensors of its input's size at once; how many was measured on Stable Diffusion 1.5's shape
# with `python -m benchmarks plan`, see docs/performance.md. The decoder's are those of its last level.
_DENOISER_TENSORS = {"unet": 34.0, "transformer": 24.0}
_DECODER_TENSORS = 4.1
_PICTURE_TENSORS = 24.0  # of three channels: the decoder's output, its float32 copy and what encoding makes of it
_SCRATCH_BYTES = 120 * 2**20  # what kernels keep for themselves
_GROUP_SHARE = 0.1  # of the largest component: the layers that are on the device at once
_FLOAT8_SHARE = 0.51  # of two bytes a parameter: norms stay as they are


class Placement(StrEnum):
    """Where the weights are while a picture is painted."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model_offload"  # one component at a time is on the device, the others in the machine's memory
    GROUP_OFFLOAD = "group_offload"  # a few layers at a time, and the autoencoder


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How a model is held in memory; ``lower`` is the next rung down the ladder.

    ``device`` and ``dtype`` are torch's names. ``batch_width`` is the most rows of one call of the denoiser (a picture
    with guidance has two). With ``tiles_pictures`` the autoencoder works on tiles, with ``stores_float8`` the
    denoiser's weights are kept in eight bits and widened layer by layer. ``may_store_float8`` is False for a model with
    adapters: theirs are brought to the format of what they change, and most of them are too small for that one.
    """

    device: str
    dtype: str
    batch_width: int
    placement: Placement = Placement.RESIDENT
    tiles_pictures: bool = False
    stores_float8: bool = False
    may_store_float8: bool = True

    def lower(self) -> "MemoryPlan | None":
        """Return the plan that wants less, or None below the last; what costs least comes first.

        A narrower call costs throughput, tiles cost a little of the decoder's time, moving components costs a transfer
        a picture, eight bits cost accuracy, moving layers costs a transfer a step.
        """
        if self.batch_width > 2:
            return replace(self, batch_width=self.batch_width // 2)
        if not self.tiles_pictures:
            return replace(self, tiles_pictures=True)
        if self.device == "cuda" and self.placement is Placement.RESIDENT:
            return replace(self, placement=Placement.MODEL_OFFLOAD)
        may_store = self.may_store_float8 and self.device in ("cuda", "cpu") and self.dtype != "float32"
        if may_store and not self.stores_float8:
            return replace(self, stores_float8=True)
        if self.placement is Placement.MODEL_OFFLOAD:
            return replace(self, placement=Placement.GROUP_OFFLOAD)
        return None

    def weights(self, sizes: ModelSizes) -> dict[str, int]:
        """Return the bytes of each component."""
        width = BYTES_OF[self.dtype]
        stored = {name: count * width for name, count in sizes.parameters.items()}
        stored[sizes.autoencoder] = sizes.parameters[sizes.autoencoder] * self._decoder_width(sizes)
        if self.stores_float8:
            stored[sizes.denoiser] = round(stored[sizes.denoiser] * _FLOAT8_SHARE)
        return stored

    def working_bytes(self, sizes: ModelSizes, max_pixels: int) -> tuple[int, int]:
        """Return what denoising and decoding compute with, beside the weights, for pictures of ``max_pixels``."""
        width = BYTES_OF[self.dtype]
        tokens = max_pixels / (sizes.latent_scale * sizes.patch) ** 2
        tensors = _DENOISER_TENSORS["transformer" if sizes.is_transformer else "unet"]
        denoising = tensors * tokens * sizes.denoiser_channels * self.batch_width * width
        decoded = min(max_pixels, sizes.tile_pixels**2) if self.tiles_pictures else max_pixels
        decoding = _DECODER_TENSORS * decoded * sizes.decoder_channels * self._decoder_width(sizes)
        decoding += _PICTURE_TENSORS * max_pixels * 3
        return round(denoising), round(decoding)

    def _decoder_width(self, sizes: ModelSizes) -> int:
        return BYTES_OF["float32" if self.dtype == "float16" and sizes.overflows_float16 else self.dtype]

    def device_bytes(self, sizes: ModelSizes, max_pixels: int) -> int:
        """Estimate the most that the device has to hold at once, without what the process takes anyway."""
        weights = self.weights(sizes)
        denoising, decoding = (count + _SCRATCH_BYTES for count in self.working_bytes(sizes, max_pixels))
        match self.placement:
            case Placement.RESIDENT:
                return sum(weights.values()) + max(denoising, decoding)
            case Placement.MODEL_OFFLOAD:
                working = {sizes.denoiser: denoising, sizes.autoencoder: decoding}
                return max(count + working.get(name, 0) for name, count in weights.items())
            case Placement.GROUP_OFFLOAD:
                moved = round(_GROUP_SHARE * max(weights.values()))
                return weights[sizes.autoencoder] + moved + max(denoising, decoding)

    def host_bytes(self, sizes: ModelSizes) -> int:
        """Estimate what waits in the machine's memory while something else is on the device."""
        return 0 if self.placement is Placement.RESIDENT else sum(self.weights(sizes).values())


def widest_plan(*, device: str, dtype: str, max_width: int, has_adapters: bool) -> MemoryPlan:
    """Return the plan for a device with unlimited memory."""
    return MemoryPlan(device=device, dtype=dtype, batch_width=max(2, max_width), may_store_float8=not has_adapters)


def make_plan(plan: MemoryPlan, sizes: ModelSizes, *, budget_bytes: int, max_pixels: int) -> MemoryPlan:
    """Return the first plan from this one down the ladder that keeps within the budget, or the last one if none does.

    ``budget_bytes`` is what is free on the device before the model is loaded.
    """
    while plan.device_bytes(sizes, max_pixels) > budget_bytes and (lower := plan.lower()) is not None:
        plan = lower
    return plan


def plan_words(plan: MemoryPlan) -> str:
    """Describe a plan in words."""
    words = [
        {
            Placement.RESIDENT: "everything stays on the device",
            Placement.MODEL_OFFLOAD: "one component at a time is on the device",
            Placement.GROUP_OFFLOAD: "a few layers at a time are on the device",
        }[plan.placement]
    ]
    if plan.stores_float8:
        words.append("the denoiser's weights are stored in 8 bits")
    if plan.tiles_pictures:
        words.append("large pictures are encoded and decoded in tiles")
    return f"{', '.join(words)}, one call of the denoiser takes up to {plan.batch_width} rows"
