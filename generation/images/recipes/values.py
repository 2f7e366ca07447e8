"""Turns values of any kind, which anyone may have written, into settings; whatever is no setting is left out."""

import json
import math
import unicodedata
from collections.abc import Mapping
from itertools import islice
from typing import Any

from generation.errors import InvalidRequest
from generation.requests import MAX_NEGATIVE_PROMPT_CHARACTERS, MAX_PROMPT_CHARACTERS, check_number

_MAX_NAME_CHARACTERS = 200
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


def negative_prompt(value: object) -> str:
    """Return a negative prompt on a single line, which is what the form has room for."""
    return _clean(" ".join(value.split()), MAX_NEGATIVE_PROMPT_CHARACTERS) if isinstance(value, str) else ""


def name(value: object) -> str | None:
    """Return a name of ordinary length, or None."""
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
