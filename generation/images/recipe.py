"""Reads with what settings a picture was made, from the texts in its file: ours, A1111's and Forge's, and InvokeAI's.

The texts may be anybody's. What comes out is proposed to somebody and goes through every door when they send it.
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
# The last line of A1111's text: "Steps: 20, Sampler: Euler a, CFG scale: 7", with values in quotes where they hold a
# comma. Other programs read the text by the same pattern.
_FIRST_SETTING = re.compile(r"\s*Steps:\s*\d")
_SETTING = re.compile(r'\s*(?P<name>\w[\w /-]*):\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*)')
# What A1111 loads beside the model, and does not paint as words: "<lora:ink:0.8>".
_ADD_ON = re.compile(r",? ?<(?:lora|lyco|hypernet):[^<>]*>")
_SIDES = re.compile(r"(\d{1,5})x(\d{1,5})")
_SAMPLER_OF_TITLE = {sampler.title.casefold(): name for name, sampler in SAMPLERS.items() if name != OWN_SAMPLER}
# Since 1.9 A1111 names the schedule apart; "Automatic" is this one where the sampler has one of its own.
_AUTOMATIC = {"dpm++ 2m": "karras"}
_SAMPLER_IN_INVOKEAI = {
    "ddim": "ddim",
    "euler": "euler",
    "euler_a": "euler-a",
    "dpmpp_2m_k": "dpm++2m-karras",
    "unipc": "unipc",
}
_UNSEEN = ("Cc", "Cs")  # controls, and halves of characters
_TURNED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # would turn round what stands beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a picture as far as they are known, each within the ranges of ``generation.requests``.

    The seed is none of them: who paints over the picture begins elsewhere, and the noise that it was made of, put over
    it once more, would overdo what is there.

    ``size`` is the side in pixels of a square with as many pixels. ``sampler`` is one of ours; ``model`` and
    ``adapter``, with weights where there are several, are any names.
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
    """Return what the first text says that says anything: our record, A1111's text, InvokeAI's record; or None."""
    readers: tuple[tuple[str, Callable[[str], Recipe]], ...] = (
        (RECORD_KEY, _of_our_record),
        (TEXT_KEY, _of_infotext),
        (COMMENT_KEY, _of_infotext),
        (INVOKEAI_KEY, _of_invokeai),
    )
    recipes = (read(texts[key]) for key, read in readers if key in texts)
    return next((recipe for recipe in recipes if recipe != Recipe()), None)


def _of_our_record(text: str) -> Recipe:
    """Read what ``PictureParameters.record`` of ``generation.images.metadata`` has written."""
    said = _mapping(text)
    sampler = said.get("sampler")
    return Recipe(
        prompt=_prompt(said.get("prompt")),
        negative_prompt=_negative_prompt(said.get("negative_prompt")),
        strength=_number("strength", said.get("strength")),
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
    there a text without such a line is none of these, and what follows the line is left alone. The names of add-ons are
    taken out of the prompt: they are those of files on another machine.
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
    """Take the line of settings apart."""
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
    """Return which of ours it is, if it is one of ours in every respect."""
    title, schedule = title.casefold(), schedule.casefold()
    if schedule == "automatic":
        schedule = _AUTOMATIC.get(title, "")
    return _SAMPLER_OF_TITLE.get(title if schedule in ("", "normal") else f"{title} {schedule}")


def _mapping(text: str) -> Mapping[str, Any]:
    """Return the object that a text in JSON is, {} if it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _finite(value: object) -> float | None:
    """Return a number, or what a text says of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _number(field: str, value: object) -> float | None:
    """Return a number of a request, to three places as people write it, None where it is none or out of its range."""
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
    """Return it on one line, which is what the form has for it."""
    return _clean(" ".join(value.split()), MAX_NEGATIVE_PROMPT_CHARACTERS) if isinstance(value, str) else ""


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARACTERS else None


def _clean(value: object, longest: int) -> str:
    """Return a text without what nobody can see in it, cut to what a form takes."""
    if not isinstance(value, str):
        return ""
    text = value.replace("\r\n", "\n").replace("\t", " ").strip()
    seen = (each for each in text if each == "\n" or not (unicodedata.category(each) in _UNSEEN or each in _TURNED))
    return "".join(islice(seen, longest)).rstrip()
