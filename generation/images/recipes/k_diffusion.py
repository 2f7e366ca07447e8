"""The names that k-diffusion's samplers and their schedules have in ComfyUI, and in whatever else adopted them."""

# These differ only in where an even grid of steps begins, which here the model's files decide.
_EVEN = frozenset(("normal", "simple", "sgm_uniform", "ddim_uniform"))
_SAMPLERS = {
    "ddim": ("ddim", _EVEN),
    "dpmpp_2m": ("dpm++2m-karras", frozenset(("karras",))),
    "euler": ("euler", _EVEN),
    "euler_ancestral": ("euler-a", _EVEN),
    "uni_pc": ("unipc", _EVEN | {"karras"}),
    "uni_pc_bh2": ("unipc", _EVEN | {"karras"}),
}


def sampler_of(name: object, schedule: object) -> str | None:
    """Return the name of our sampler, or None if none matches in every respect.

    Source: ``SAMPLER_NAMES`` and ``SCHEDULER_NAMES`` of comfy/samplers.py in comfyanonymous/ComfyUI.
    """
    if not isinstance(name, str) or not isinstance(schedule, str):
        return None
    ours, schedules = _SAMPLERS.get(name, (None, _EVEN))
    return ours if schedule in schedules else None
