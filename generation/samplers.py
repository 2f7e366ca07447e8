"""The samplers that a request may name: the diffusers scheduler of each, and its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from generation.errors import InvalidRequest

OWN_SAMPLER = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """One way from noise to picture.

    ``scheduler`` is the diffusers class, or None for the one that the model's files name. ``config`` overrides the
    configuration in those files, which describes how the model was trained.
    """

    title: str
    scheduler: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


# Titles and configurations: https://huggingface.co/docs/diffusers/api/schedulers/overview. A file written for another
# scheduler may use the same keys with other meanings, so whatever matters to a class is spelled out.
SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        OWN_SAMPLER: Sampler(title="the model's own"),
        "ddim": Sampler(title="DDIM", scheduler="DDIMScheduler", config={"clip_sample": False}),
        "euler": Sampler(title="Euler", scheduler="EulerDiscreteScheduler", config={"use_karras_sigmas": False}),
        "euler-a": Sampler(title="Euler a", scheduler="EulerAncestralDiscreteScheduler"),
        "dpm++2m-karras": Sampler(
            title="DPM++ 2M Karras",
            scheduler="DPMSolverMultistepScheduler",
            config={
                "algorithm_type": "dpmsolver++",
                "solver_order": 2,
                "solver_type": "midpoint",
                "use_karras_sigmas": True,
            },
        ),
        "unipc": Sampler(
            title="UniPC",
            scheduler="UniPCMultistepScheduler",
            config={"solver_order": 2, "solver_type": "bh2", "use_karras_sigmas": True},
        ),
    }
)


def check_sampler(name: str) -> None:
    """Raise InvalidRequest (``unknown``) for an unknown sampler."""
    if name not in SAMPLERS:
        raise InvalidRequest("sampler", "unknown", value=name, known=list(SAMPLERS))
