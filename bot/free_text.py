"""What somebody writes to the bot in their own words: a prompt, with options by name wherever they stand in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.errors import Refused
from bot.orders import Options

_NAMES = {
    "negative_prompt": ("negative_prompt", "negative prompt", "negative", "without"),
    "strength": ("strength",),
    "guidance_scale": ("guidance_scale", "guidance scale", "guidance", "cfg"),
    "num_inference_steps": ("num_inference_steps", "steps"),
    "seed": ("seed",),
    "count": ("count",),
    "size": ("size",),
    "model": ("model",),
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names}
_CONVERT: dict[str, Callable[[str], Any]] = {
    "strength": float,
    "guidance_scale": float,
    "num_inference_steps": int,
    "seed": int,
    "count": int,
    "size": int,
    "model": str,
}
_ALTERNATIVES = "|".join(re.escape(name) for name in sorted(_FIELD_OF, key=len, reverse=True))
# "strength 0.7", "strength: 0.7", "strength=.7" and "--strength 0.7"; a name alone is a word of the prompt.
_OPTION = re.compile(
    rf"(?<![\w-])(?P<dashes>--)?(?P<name>{_ALTERNATIVES})(?P<sign>\s*[:=]\s*|\s+)(?P<value>[^\s,;]+)", re.IGNORECASE
)
_NEGATIVE = re.compile(
    r"(?<![\w-])(?:--(?P<dashed>negative[_ ]prompt|negative|without)[:=\s]\s*"
    r"|(?P<named>negative[_ ]prompt|negative)\s*[:=]\s*)(?P<text>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")
_MENTION = re.compile(r"<@!?\d+>")


@dataclass(frozen=True, slots=True)
class Said:
    """What was understood: ``options`` holds None where nothing was said; an empty prompt means none was given."""

    options: Options = field(default_factory=lambda: Options(prompt=""))

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was said."""
        return self.options == Options(prompt="")


def understand(text: str) -> Said:
    """Read a message; raise Refused (``not_understood``) for an option whose value is no such value.

    An option is a name followed by a value, in any order and anywhere: ``a fox in snow, strength 0.7 seed 5``. The
    negative prompt is everything after ``negative:``. A name without a value that fits, as in "the strength of a lion",
    belongs to the prompt unless ``:``, ``=`` or ``--`` says otherwise.
    """
    text = _MENTION.sub(" ", text)
    values: dict[str, Any] = {}

    def take(match: re.Match[str]) -> str:
        name = _FIELD_OF[match["name"].lower()]
        is_explicit = bool(match["dashes"]) or match["sign"].strip() != ""
        if name == "negative_prompt":
            return match[0]
        value = match["value"].rstrip(".!?") if name != "model" else match["value"]
        if name == "model" and not is_explicit and not _looks_like_model(value):
            return match[0]
        if name != "model" and not is_explicit and not _NUMBER.fullmatch(value):
            return match[0]
        try:
            values[name] = _CONVERT[name](value)
        except ValueError as error:
            raise Refused("not_understood", option=match["name"].lower(), value=value[:40]) from error
        return " "

    text = _OPTION.sub(take, text)
    if (negative := _NEGATIVE.search(text)) is not None:
        values["negative_prompt"] = _tidy(negative["text"])
        text = text[: negative.start()]
    return Said(replace(Options(prompt=_tidy(text)), **values))


def _looks_like_model(value: str) -> bool:
    """Tell a catalog name from a word: "model sd-turbo" is an option, "a model train" is not."""
    return "-" in value or any(character.isdigit() for character in value)


def _tidy(text: str) -> str:
    """Close the gaps that options leave behind."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s*([,;])(\s*[,;])+", r"\1", text)
    return text.strip(" ,;")
