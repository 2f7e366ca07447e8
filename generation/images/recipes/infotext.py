"""Reads the text of AUTOMATIC1111's web UI, of Forge and of whatever else writes it."""

import json
import re

from generation.images.recipes import values
from generation.images.recipes.recipe import Recipe
from generation.samplers import OWN_SAMPLER, SAMPLERS

_MAX_LINE_CHARACTERS = 16_000
_NEGATIVE = "Negative prompt:"
# The last line of A1111's text: "Steps: 20, Sampler: Euler a, CFG scale: 7", with values quoted if they contain a
# comma. Other programs parse the text with the same pattern.
_FIRST_SETTING = re.compile(r"\s*Steps:\s*\d")
_SETTING = re.compile(r'\s*(?P<name>\w[\w /-]*):\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*)')
_SIDES = re.compile(r"(\d{1,5})x(\d{1,5})")
_SAMPLER_OF_TITLE = {sampler.title.casefold(): name for name, sampler in SAMPLERS.items() if name != OWN_SAMPLER}
# Since 1.9 A1111 names the schedule separately; for a sampler listed here, "Automatic" means this schedule.
_AUTOMATIC = {"dpm++ 2m": "karras"}


def of_infotext(text: str) -> Recipe:
    """Read prompt, negative prompt and the line of settings.

    Source: ``parse_generation_parameters`` in modules/infotext_utils.py of AUTOMATIC1111/stable-diffusion-webui. Unlike
    there, a text without a line of settings is not accepted, and whatever follows the line is ignored.
    """
    lines = text.split("\n")
    last = next((n for n in reversed(range(len(lines))) if _FIRST_SETTING.match(lines[n])), None)
    if last is None:
        return Recipe()
    written, said = lines[:last], _settings_in(lines[last][:_MAX_LINE_CHARACTERS])
    negative = next((n for n, line in enumerate(written) if line.lstrip().startswith(_NEGATIVE)), last)
    sides = _SIDES.fullmatch(said.get("Size", ""))
    return Recipe(
        prompt=values.prompt(values.without_add_ons("\n".join(written[:negative]))),
        negative_prompt=values.negative_prompt("\n".join(written[negative:]).lstrip().removeprefix(_NEGATIVE)),
        strength=values.number("strength", said.get("Denoising strength")),
        guidance_scale=values.number("guidance_scale", said.get("CFG scale")),
        num_inference_steps=values.whole("num_inference_steps", said.get("Steps")),
        size=values.size(*sides.groups()) if sides else None,
        sampler=_sampler(said.get("Sampler", ""), said.get("Schedule type", "")),
        model=values.name(said.get("Model")),
    )


def _settings_in(line: str) -> dict[str, str]:
    """Split the line of settings."""
    said: dict[str, str] = {}
    position = 0
    while position < len(line):
        if (setting := _SETTING.match(line, position)) is not None:
            said.setdefault(setting["name"], _unquoted(setting["value"].strip()))
            position = setting.end()
        comma = line.find(",", position)
        position = len(line) if comma < 0 else comma + 1
    return said


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _sampler(title: str, schedule: str) -> str | None:
    """Return the name of our sampler if one of ours matches in every respect."""
    title, schedule = title.casefold(), schedule.casefold()
    if schedule == "automatic":
        schedule = _AUTOMATIC.get(title, "")
    return _SAMPLER_OF_TITLE.get(title if schedule in ("", "normal") else f"{title} {schedule}")
