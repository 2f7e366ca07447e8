"""Reads the settings that a picture was made with from the texts in its file: ours, A1111's and Forge's, InvokeAI's.

The texts may come from anyone. The result is only proposed to a member, and is checked like any other input when they
send it.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from generation.errors import InvalidRequest
from generation.images.texts import COMMENT_KEY, RECORD_KEY, TEXT_KEY
from generation.requests import MAX_NEGATIVE_PROMPT_CHARACTERS, MAX_PROMPT_CHARACTERS, check_number
from generation.samplers import OWN_SAMPLER, SAMPLERS

INVOKEAI_KEY = "invokeai_metadata"

_MAX_NAME_CHARACTERS = 200
_MAX_LINE_CHARACTERS = 16_000
_NEGATIVE = "Negative prompt:"
# The last line of A1111's text: "Steps: 20, Sampler: Euler a, CFG scale: 7", with values quoted if they contain a
# comma. Other programs parse the text with the same pattern.
_FIRST_SETTING = re.compile(r"\s*Steps:\s*\d")
_SETTING = re.compile(r'\s*(?P<name>\w[\w /-]*):\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*)')
# What A1111 loads next to the model and does not read as words: "<lora:ink:0.8>".
_ADD_ON = re.compile(r",? ?<(?:lora|lyco|hypernet):[^<>]*>")
_SIDES = re.compile(r"(\d{1,5})x(\d{1,5})")
_SAMPLER_OF_TITLE = {sampler.title.casefold(): name for name, sampler in SAMPLERS.items() if name != OWN_SAMPLER}
# Since 1.9 A1111 names the schedule separately; for a sampler listed here, "Automatic" means this schedule.
_AUTOMATIC = {"dpm++ 2m": "karras"}
_SAMPLER_IN_INVOKEAI = {
    "ddim": "ddim",
    "euler": "euler",
    "euler_a": "euler-a",
    "dpmpp_2m_k": "dpm++2m-karras",
    "unipc": "unipc",
}
_INVISIBLE_CATEGORIES = ("Cc", "Cs")  # control characters, and lone surrogates
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # would reverse nearby text


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a picture as far as they are known, each within the ranges of ``generation.requests``.

    The seed is left out on purpose: generating from the finished picture starts somewhere else, and adding the noise
    that it was made from once more would overdo what is already there.

    ``size`` is the side, in pixels, of a square with as many pixels. ``sampler`` is one of ours; ``model`` and
    ``adapter`` (with weights if there are several) may be any names.
    """

    prompt: str = ""
    negative_prompt: str = ""
    strength: float | None = None
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    size: int | None = None
    sampler: str | None = None
    model: str | None = None
    adapter: str | None = None
    adapter_weight: float | None = None


def read_recipe(texts: Mapping[str, str]) -> Recipe | None:
    """Return the settings from the first text that has any: our record, A1111's text, InvokeAI's record; else None."""
    readers: tuple[tuple[str, Callable[[str], Recipe]], ...] = (
        (RECORD_KEY, _of_our_record),
        (TEXT_KEY, _of_infotext),
        (COMMENT_KEY, _of_infotext),
        (INVOKEAI_KEY, _of_invokeai),
    )
    recipes = (read(texts[key]) for key, read in readers if key in texts)
    return next((recipe for recipe in recipes if recipe != Recipe()), None)


def _of_our_record(text: str) -> Recipe:
    """Read what ``PictureParameters.record`` of ``generation.images.metadata`` wrote."""
    said = _mapping(text)
    sampler = said.get("sampler")
    # A strength for parts of a picture would repaint all of the result, which has no such parts.
    is_of_whole = said.get("repaint", "all") == "all"
    return Recipe(
        prompt=_prompt(said.get("prompt")),
        negative_prompt=_negative_prompt(said.get("negative_prompt")),
        strength=_number("strength", said.get("strength")) if is_of_whole else None,
        guidance_scale=_number("guidance_scale", said.get("guidance_scale")),
        num_inference_steps=_whole("num_inference_steps", said.get("num_inference_steps")),
        size=_size(said.get("native_width"), said.get("native_height")),
        sampler=sampler if isinstance(sampler, str) and sampler in SAMPLERS else None,
        model=_name(said.get("model")),
        adapter=_name(said.get("adapter")),
        adapter_weight=_finite(said.get("adapter_weight")),
    )


def _of_infotext(text: str) -> Recipe:
    """Read prompt, negative prompt and the line of settings.

    Source: ``parse_generation_parameters`` in modules/infotext_utils.py of AUTOMATIC1111/stable-diffusion-webui. Unlike
    there, a text without a line of settings is not accepted, and whatever follows the line is ignored. Names of add-ons
    are removed from the prompt, because they refer to files on another machine.
    """
    lines = text.split("\n")
    last = next((n for n in reversed(range(len(lines))) if _FIRST_SETTING.match(lines[n])), None)
    if last is None:
        return Recipe()
    written, said = lines[:last], _settings_in(lines[last][:_MAX_LINE_CHARACTERS])
    negative = next((n for n, line in enumerate(written) if line.lstrip().startswith(_NEGATIVE)), last)
    sides = _SIDES.fullmatch(said.get("Size", ""))
    return Recipe(
        prompt=_prompt(_ADD_ON.sub("", "\n".join(written[:negative])).lstrip(", ")),
        negative_prompt=_negative_prompt("\n".join(written[negative:]).lstrip().removeprefix(_NEGATIVE)),
        strength=_number("strength", said.get("Denoising strength")),
        guidance_scale=_number("guidance_scale", said.get("CFG scale")),
        num_inference_steps=_whole("num_inference_steps", said.get("Steps")),
        size=_size(*sides.groups()) if sides else None,
        sampler=_sampler(said.get("Sampler", ""), said.get("Schedule type", "")),
        model=_name(said.get("Model")),
    )


def _of_invokeai(text: str) -> Recipe:
    """Read InvokeAI's record. Source: invokeai/app/invocations/metadata.py, ``CoreMetadataInvocation``."""
    said = _mapping(text)
    scheduler = said.get("scheduler")
    return Recipe(
        prompt=_prompt(said.get("positive_prompt")),
        negative_prompt=_negative_prompt(said.get("negative_prompt")),
        strength=_number("strength", said.get("strength")),
        guidance_scale=_number("guidance_scale", said.get("cfg_scale")),
        num_inference_steps=_whole("num_inference_steps", said.get("steps")),
        size=_size(said.get("width"), said.get("height")),
        sampler=_SAMPLER_IN_INVOKEAI.get(scheduler) if isinstance(scheduler, str) else None,
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


def _mapping(text: str) -> Mapping[str, Any]:
    """Parse a text as a JSON object; return {} if it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _finite(value: object) -> float | None:
    """Return a finite number, possibly given as text, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _number(field: str, value: object) -> float | None:
    """Return a number of a request, rounded to three decimals, or None if it is missing or out of range."""
    number = _finite(value)
    try:
        check_number(field, math.nan if number is None else number)
    except InvalidRequest:
        return None
    return None if number is None else round(number, 3)


def _whole(field: str, value: object) -> int | None:
    number = _number(field, value)
    return int(number) if number is not None and number.is_integer() else None


def _size(width: object, height: object) -> int | None:
    area = (_finite(width) or 0.0) * (_finite(height) or 0.0)
    return None if _number("max_pixels", area) is None else round(math.sqrt(area))


def _prompt(value: object) -> str:
    return _clean(value, MAX_PROMPT_CHARACTERS)


def _negative_prompt(value: object) -> str:
    """Return it on a single line, which is what the form has room for."""
    return _clean(" ".join(value.split()), MAX_NEGATIVE_PROMPT_CHARACTERS) if isinstance(value, str) else ""


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARACTERS else None


def _clean(value: object, longest: int) -> str:
    """Return a text without invisible characters, cut to the length that the form accepts."""
    if not isinstance(value, str):
        return ""
    text = value.replace("\r\n", "\n").replace("\t", " ").strip()
    visible = (each for each in text if each == "\n" or not _is_invisible(each))
    return "".join(islice(visible, longest)).rstrip()


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _BIDI_CONTROLS
