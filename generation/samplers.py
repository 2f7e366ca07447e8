"""The samplers that a request may name: which scheduler of diffusers each is, and how it is configured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from generation.errors import InvalidRequest

OWN_SAMPLER = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """One way to go from noise to picture.

    ``scheduler`` is the class of diffusers, None for the one that a model's files name. ``config`` goes over the
    configuration in those files, which holds what the model was trained with.
    """

    title: str
    scheduler: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


# Titles and configurations: https://huggingface.co/docs/diffusers/api/schedulers/overview. Another scheduler's file may
# use the same keys with other meanings: what matters to a class is written out.
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
