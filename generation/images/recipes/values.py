"""Turns values of any kind, which anyone may have written, into settings; whatever is no setting is left out."""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from generation.adapter_weights import MAX_ADAPTERS, write_adapters
from generation.errors import InvalidRequest
from generation.requests import MAX_NEGATIVE_PROMPT_CHARACTERS, MAX_PROMPT_CHARACTERS, check_number

_MAX_NAME_CHARACTERS = 200
# What is loaded next to the model, on another machine, and not read as words: "<lora:ink:0.8>".
_ADD_ON = re.compile(r",? ?<(?:lora|lyco|hypernet|embed):[^<>]*>")
_FILE_TYPE = re.compile(r"\.(?:safetensors|sft|ckpt|gguf|pt|pth|bin)\Z", re.IGNORECASE)
_INVISIBLE_CATEGORIES = ("Cc", "Cs")  # control characters, and lone surrogates
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # would reverse nearby text


def mapping(text: str) -> Mapping[str, Any]:
    """Parse a text as a JSON object; return {} if it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def finite(value: object) -> float | None:
    """Return a finite number, possibly given as text, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def number(field: str, value: object) -> float | None:
    """Return a number of a request, rounded to three decimals, or None if it is missing or out of range."""
    found = finite(value)
    try:
        check_number(field, math.nan if found is None else found)
    except InvalidRequest:
        return None
    return None if found is None else round(found, 3)


def whole(field: str, value: object) -> int | None:
    """Return a whole number of a request, or None if it is missing, out of range or not whole."""
    found = number(field, value)
    return int(found) if found is not None and found.is_integer() else None


def size(width: object, height: object) -> int | None:
    """Return the side of a square with as many pixels, or None if that is out of range."""
    area = (finite(width) or 0.0) * (finite(height) or 0.0)
    return None if number("max_pixels", area) is None else round(math.sqrt(area))


def prompt(value: object) -> str:
    """Return a prompt as the form accepts it; empty if the value is no text."""
    return _clean(value, MAX_PROMPT_CHARACTERS)


def without_add_ons(text: str) -> str:
    """Return a prompt without the names of add-ons, which refer to files on another machine."""
    return _ADD_ON.sub("", text).lstrip(", ")


def negative_prompt(value: object) -> str:
    """Return a negative prompt on a single line, which is what the form has room for."""
    return _clean(" ".join(value.split()), MAX_NEGATIVE_PROMPT_CHARACTERS) if isinstance(value, str) else ""


def name(value: object) -> str | None:
    """Return a name of ordinary length, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARACTERS else None


def file_name(value: object) -> str | None:
    """Return the name of a file of weights without its folders and type, or None."""
    if not isinstance(value, str):
        return None
    *_, last = value.replace("\\", "/").rpartition("/")
    return name(_FILE_TYPE.sub("", last))


def adapters(files: Iterable[tuple[object, object]]) -> tuple[str | None, float | None]:
    """Return ``adapter`` and ``adapter_weight`` for files and their weights, or None if there are none or too many."""
    chosen: dict[str, float] = {}
    for file, weight in files:
        adapter, strength = file_name(file), finite(weight)
        if adapter is not None and adapter != "None":  # which is how a loader says that it loads nothing
            chosen[adapter] = 1.0 if strength is None else round(strength, 3)
        if len(chosen) > MAX_ADAPTERS:
            return None, None
    return write_adapters(tuple(chosen.items())) if chosen else (None, None)


def _clean(value: object, longest: int) -> str:
    """Return a text without invisible characters, cut to the length that the form accepts."""
    if not isinstance(value, str):
        return ""
    text = value.replace("\r\n", "\n").replace("\t", " ").strip()
    visible = (each for each in text if each == "\n" or not _is_invisible(each))
    return "".join(islice(visible, longest)).rstrip()


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _BIDI_CONTROLS
