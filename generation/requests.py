"""What is asked of the generator and what it returns, as frozen values with every choice already made."""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, Self

from generation.adapter_weights import NO_ADAPTER, read_adapters
from generation.errors import InvalidRequest
from generation.samplers import check_sampler

MAX_PROMPT_CHARACTERS = 1_500
MAX_NEGATIVE_PROMPT_CHARACTERS = 1_000
MIN_STRENGTH, MAX_STRENGTH = 0.01, 1.0
MIN_GUIDANCE_SCALE, MAX_GUIDANCE_SCALE = 0.0, 30.0
MIN_STEPS, MAX_STEPS = 1, 150
MIN_COUNT, MAX_COUNT = 1, 10
MIN_SIZE, MAX_SIZE = 64, 2048
MAX_SEED = 2**32 - 1

# What strength means: a fraction of the sampler's steps, as in diffusers, or the same noise with every sampler that can
# start at any noise level.
StrengthSchedule = Literal["noise", "index"]
STRENGTH_SCHEDULES: tuple[StrengthSchedule, ...] = ("noise", "index")

# What is repainted: the whole picture, or only its transparent parts, while the others stay pixel by pixel.
Repaint = Literal["all", "transparent"]
REPAINTS: tuple[Repaint, ...] = ("all", "transparent")


def draw_seed() -> int:
    """Draw a seed from 0 to 2**32 - 1."""
    return secrets.randbelow(MAX_SEED + 1)


def denoising_steps(strength: float, num_inference_steps: int) -> int:
    """Return how many of the scheduler's steps run at this strength, as diffusers counts them.

    Source: ``StableDiffusionImg2ImgPipeline.get_timesteps`` of diffusers.
    """
    return min(int(num_inference_steps * strength), num_inference_steps)


def steps_for_strength(strength: float, num_inference_steps: int) -> int:
    """Raise the number of steps until at least one of them runs at this strength.

    The steps change and not the strength, because the strength determines how much noise the picture gets.
    """
    steps = num_inference_steps
    if denoising_steps(strength, steps) < 1:
        steps = math.ceil(1 / strength)
        while denoising_steps(strength, steps) < 1:
            steps += 1
    return steps


RANGES: Mapping[str, tuple[float, float]] = {
    "strength": (MIN_STRENGTH, MAX_STRENGTH),
    "guidance_scale": (MIN_GUIDANCE_SCALE, MAX_GUIDANCE_SCALE),
    "num_inference_steps": (MIN_STEPS, MAX_STEPS),
    "seed": (0, MAX_SEED),
    "count": (MIN_COUNT, MAX_COUNT),
    "max_pixels": (MIN_SIZE**2, MAX_SIZE**2),
}


def check_number(field: str, value: float) -> None:
    """Raise InvalidRequest unless a number of a request is in its range."""
    low, high = RANGES[field]
    if not low <= value <= high:  # also refuses NaN, which compares false with everything
        raise InvalidRequest(field, "out_of_range", value=value, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Img2ImgRequest:
    """One request to turn a picture and a prompt into ``count`` new pictures.

    ``image`` is a clean picture as the image decoder returns it: an encoded PNG, upright, without metadata, RGB on
    white; an alpha channel says where the file was transparent.
    ``max_pixels`` is the pixel budget of one result before enlargement, ``max_result_bytes`` the size limit of one
    result file. Picture *i* uses ``seed + i`` (modulo 2**32), except in a ladder: with ``strengths``, which increase
    from ``strength``, each picture has its own strength and all have the same seed. With ``native`` a small result is
    not enlarged. ``input_sha256`` is the hexadecimal digest of the file as it was sent in. ``sampler`` is a name from
    ``generation.samplers``; ``strength_schedule`` says what the strength means (``generation.engine.schedules``).
    ``adapter`` is the name of one of the model's adapters in the catalog, several with their weights (``ada:0.5,
    film:0.8``), or empty. ``repaint`` says whether the whole picture is repainted or only its transparent parts.

    Raises InvalidRequest for numbers and texts outside their ranges.
    """

    image: bytes
    input_sha256: str
    prompt: str
    negative_prompt: str
    strength: float
    guidance_scale: float
    num_inference_steps: int
    seed: int
    count: int
    max_pixels: int
    model: str
    max_result_bytes: int
    sampler: str
    strength_schedule: StrengthSchedule
    strengths: tuple[float, ...] = ()
    native: bool = False
    adapter: str = NO_ADAPTER
    adapter_weight: float = 0.0
    repaint: Repaint = "all"

    def __post_init__(self) -> None:
        check_prompt(self.prompt)
        check_negative_prompt(self.negative_prompt)
        check_sampler(self.sampler)
        if self.strength_schedule not in STRENGTH_SCHEDULES:
            raise InvalidRequest("strength_schedule", "unknown", known=list(STRENGTH_SCHEDULES))
        if self.repaint not in REPAINTS:
            raise InvalidRequest("repaint", "unknown", known=list(REPAINTS))
        for field in RANGES:
            check_number(field, getattr(self, field))
        check_strengths(self.strengths, self.strength, self.count)
        read_adapters(self.adapter, self.adapter_weight)
        if denoising_steps(self.strength, self.num_inference_steps) < 1:
            raise InvalidRequest("num_inference_steps", "zero_steps", value=self.num_inference_steps)

    @property
    def total_steps(self) -> int:
        """The denoising steps of all pictures together."""
        return sum(self.steps_of(index) for index in range(self.count))

    @property
    def adapters(self) -> tuple[tuple[str, float], ...]:
        """The adapters and their weights, sorted by name."""
        return read_adapters(self.adapter, self.adapter_weight)

    def seed_of(self, index: int) -> int:
        """Return the seed of picture ``index`` (from 0)."""
        return self.seed if self.strengths else (self.seed + index) % (MAX_SEED + 1)

    def strength_of(self, index: int) -> float:
        """Return the strength of picture ``index`` (from 0)."""
        return self.strengths[index] if self.strengths else self.strength

    def steps_of(self, index: int) -> int:
        """Return the denoising steps of picture ``index`` (from 0)."""
        return denoising_steps(self.strength_of(index), self.num_inference_steps)

    def of_picture(self, index: int) -> Self:
        """Return the request that would generate picture ``index`` (from 0) on its own."""
        return replace(self, count=1, seed=self.seed_of(index), strength=self.strength_of(index), strengths=())


def check_strengths(strengths: Sequence[float], strength: float, count: int) -> None:
    """Raise InvalidRequest unless there are none, or one per picture, increasing from ``strength``."""
    for each in strengths:
        check_number("strength", each)
    is_rising = all(lower < higher for lower, higher in pairwise(strengths))
    if strengths and not (is_rising and len(strengths) == count and strengths[0] == strength):
        raise InvalidRequest("strength", "no_ladder")


def check_prompt(prompt: str) -> None:
    """Raise InvalidRequest unless the prompt has 1 to 1,500 characters, not all of them blank."""
    if not prompt.strip():
        raise InvalidRequest("prompt", "empty")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequest("prompt", "too_long", value=len(prompt), high=MAX_PROMPT_CHARACTERS)


def check_negative_prompt(negative_prompt: str) -> None:
    """Raise InvalidRequest if the negative prompt has more than 1,000 characters."""
    if len(negative_prompt) > MAX_NEGATIVE_PROMPT_CHARACTERS:
        raise InvalidRequest(
            "negative_prompt", "too_long", value=len(negative_prompt), high=MAX_NEGATIVE_PROMPT_CHARACTERS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One finished picture: its encoded file and a description.

    ``parameters`` is the record that the file itself carries (see ``generation.images.metadata``); ``native_width`` and
    ``native_height`` are the pixels that the model generated, before any enlargement.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    native_width: int
    native_height: int
    seed: int
    parameters: Mapping[str, Any]

    @property
    def extension(self) -> str:
        """The usual file name extension of the media type, without a dot."""
        return {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}[self.media_type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Img2ImgResult:
    """The pictures of one request in order, and how they were made.

    ``seconds`` is device time: of calls shared with other requests, only this request's share counts.
    """

    pictures: tuple[Picture, ...]
    seconds: float
    device: str
    dtype: str
