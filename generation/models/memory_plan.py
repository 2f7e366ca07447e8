"""How a model is held in memory and how wide a call may be, decided before anything is loaded."""

from dataclasses import dataclass, replace
from enum import StrEnum

from generation.models.sizes import ModelSizes

# The device memory that the process takes before it has loaded a model: the CUDA context on a GPU; Python, torch and
# diffusers on a CPU (measured: docs/performance.md).
BASE_BYTES = {"cuda": 500 * 2**20, "mps": 0, "cpu": 420 * 2**20}
BYTES_OF = {"float32": 4, "float16": 2, "bfloat16": 2}
# How many tensors of its input's size a layer needs at once, measured on Stable Diffusion 1.5's shape with
# `python -m benchmarks plan`, see docs/performance.md. For the decoder: at its last level.
_DENOISER_TENSORS = {"unet": 34.0, "transformer": 24.0}
_DECODER_TENSORS = 4.1
_PICTURE_BYTES_PER_VALUE = 24.0  # the decoder's output, its float32 copy and what encoding needs
_SCRATCH_BYTES = 120 * 2**20  # workspaces of kernels
_GROUP_SHARE = 0.1  # of the largest component: the layers on the device at once
_FLOAT8_SHARE = 0.51  # of two bytes per parameter: norms are not stored in float8


class Placement(StrEnum):
    """Where the weights are while a picture is generated."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model_offload"  # one component at a time is on the device, the others in main memory
    GROUP_OFFLOAD = "group_offload"  # a few layers at a time, and the autoencoder


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How a model is held in memory; ``lower`` is the next rung down the ladder.

    ``device`` and ``dtype`` are torch's names. ``batch_width`` is the maximum number of rows in one call of the
    denoiser (a picture with guidance has two). With ``tiles_pictures`` the autoencoder works on tiles; with
    ``stores_float8`` the denoiser's weights are stored in eight bits and upcast layer by layer. ``may_store_float8`` is
    False for a model with adapters: an adapter's weights are cast to the dtype of the layer they change, and most are
    too small for float8.
    """

    device: str
    dtype: str
    batch_width: int
    placement: Placement = Placement.RESIDENT
    tiles_pictures: bool = False
    stores_float8: bool = False
    may_store_float8: bool = True

    def lower(self) -> "MemoryPlan | None":
        """Return the next plan that needs less memory, or None below the last; the cheapest measures come first.

        A narrower call costs throughput, tiling a little decoding time, moving components one transfer per picture,
        eight bits accuracy, and moving layers one transfer per step.
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
        """Return the bytes of each component's weights."""
        width = BYTES_OF[self.dtype]
        stored = {name: count * width for name, count in sizes.parameters.items()}
        stored[sizes.autoencoder] = sizes.parameters[sizes.autoencoder] * self._decoder_width(sizes)
        if self.stores_float8:
            stored[sizes.denoiser] = round(stored[sizes.denoiser] * _FLOAT8_SHARE)
        return stored

    def working_bytes(self, sizes: ModelSizes, max_pixels: int) -> tuple[int, int]:
        """Return the bytes that denoising and decoding need in addition to the weights, at ``max_pixels``."""
        width = BYTES_OF[self.dtype]
        tokens = max_pixels / (sizes.latent_scale * sizes.patch) ** 2
        tensors = _DENOISER_TENSORS["transformer" if sizes.is_transformer else "unet"]
        denoising = tensors * tokens * sizes.denoiser_channels * self.batch_width * width
        decoded = min(max_pixels, sizes.tile_pixels**2) if self.tiles_pictures else max_pixels
        decoding = _DECODER_TENSORS * decoded * sizes.decoder_channels * self._decoder_width(sizes)
        decoding += _PICTURE_BYTES_PER_VALUE * max_pixels * 3
        return round(denoising), round(decoding)

    def _decoder_width(self, sizes: ModelSizes) -> int:
        return BYTES_OF["float32" if self.dtype == "float16" and sizes.overflows_float16 else self.dtype]

    def device_bytes(self, sizes: ModelSizes, max_pixels: int) -> int:
        """Estimate the peak device memory, not counting what the process takes anyway."""
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
        """Estimate the main memory taken by components that are not on the device at the moment."""
        return 0 if self.placement is Placement.RESIDENT else sum(self.weights(sizes).values())


def widest_plan(*, device: str, dtype: str, max_width: int, has_adapters: bool) -> MemoryPlan:
    """Return the plan for a device with unlimited memory."""
    return MemoryPlan(device=device, dtype=dtype, batch_width=max(2, max_width), may_store_float8=not has_adapters)


def make_plan(plan: MemoryPlan, sizes: ModelSizes, *, budget_bytes: int, max_pixels: int) -> MemoryPlan:
    """Return the first plan, from this one down the ladder, that stays within the budget, or the last if none does.

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
