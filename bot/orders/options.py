"""A request's options and source picture, however it was made."""

from dataclasses import dataclass, fields, replace
from typing import Literal

from bot.storage.job import Job
from generation.adapter_weights import read_adapters
from generation.requests import REPAINTS, Repaint, StrengthSchedule
from generation.strength_ladder import LADDER

# What members choose to repaint; a mask becomes the transparent parts of the picture.
PARTS = (*REPAINTS, "mask")
# A request that is repeated over another picture repaints all of one that has no such parts.
Parts = Repaint | Literal["mask", "transparent if any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The chosen options; None if not chosen. A ladder stands for several strengths at once."""

    prompt: str
    negative_prompt: str | None = None
    strength: float | Literal["ladder"] | None = None
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    seed: int | None = None
    count: int | None = None
    size: int | None = None
    model: str | None = None
    sampler: str | None = None
    strength_schedule: StrengthSchedule | None = None
    adapter: str | None = None
    adapter_weight: float | None = None
    repaint: Parts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The picture to start from: a URL to download it from, or a job whose stored input is used again.

    ``mask_url`` is a further picture that can be its mask. ``ignored_pictures`` counts all further pictures, which are
    not used unless one is the mask. ``posted_by`` is who posted it, if known.
    """

    attachment_url: str | None = None
    mask_url: str | None = None
    parent: Job | None = None
    spoiler: bool = False
    ignored_pictures: int = 0
    posted_by: int | None = None

    @property
    def owner_id(self) -> int | None:
        """The owner of the picture: whoever posted it or, if it is a result, requested it."""
        if self.parent is None:
            return self.posted_by
        if self.attachment_url is None and self.parent.input_owner_id is not None:
            return self.parent.input_owner_id
        return self.parent.requester_id

    @property
    def consent_ids(self) -> frozenset[int]:
        """The members whose consent is needed: the owner and, for a repeated request, its requester."""
        repeated = None if self.parent is None else self.parent.requester_id
        return frozenset(member_id for member_id in (self.owner_id, repeated) if member_id is not None)


def options_of(job: Job, picture: int | None = None) -> Options:
    """Return a job's options, so that some can be changed; a new seed will be drawn.

    Those of a ladder are a ladder again or, with ``picture`` (counted from 0), those of that single picture.
    """
    strength, count = job.strength, job.count
    if job.strengths:
        strength, count = (LADDER, job.count) if picture is None else (job.strengths[picture], None)
    return Options(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        strength=strength,
        guidance_scale=job.guidance_scale,
        num_inference_steps=job.num_inference_steps,
        count=count,
        size=round(job.max_pixels**0.5),
        model=job.model,
        sampler=job.sampler,
        strength_schedule=job.strength_schedule,
        adapter=job.adapter or None,
        adapter_weight=job.adapter_weight if job.adapter else None,
        repaint=None if job.repaint == "all" else job.repaint,
    )


def changed(earlier: Options, said: Options) -> Options:
    """Return earlier options overridden by later ones; another model brings its own sampler and adapters.

    The count of a ladder does not carry over to a single strength, nor the other way round. A strength for the whole
    picture does not carry over to its transparent parts either.
    """
    changes = {field.name: value for field in fields(said) if (value := getattr(said, field.name)) not in (None, "")}
    if said.model not in (None, earlier.model):
        changes = {"sampler": None, "adapter": None, "adapter_weight": None, **changes}
    elif said.adapter not in (None, earlier.adapter):
        changes.setdefault("adapter_weight", None)
    elif said.adapter_weight is not None and said.adapter is None and earlier.adapter:
        # A single weight applies to all adapters.
        changes["adapter"] = ", ".join(name for name, _ in read_adapters(earlier.adapter, None))
    if said.strength is not None and (said.strength == LADDER) != (earlier.strength == LADDER):
        changes.setdefault("count", None)
    if said.repaint is not None and said.repaint != (earlier.repaint or "all") and earlier.strength != LADDER:
        changes.setdefault("strength", None)
    return replace(earlier, **changes)
