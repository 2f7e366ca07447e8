"""The parser of free text: a prompt, with options by name anywhere in it."""

import contextlib
import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, cast

from bot.errors import Refused
from bot.orders.options import PARTS, Options, Parts
from bot.orders.small_talk import (
    asks_again,
    asks_for_help,
    asks_for_seed,
    asks_to_cancel,
    asks_to_enlarge,
    is_filler,
    is_remark,
    words_of,
)
from bot.orders.spellings import (
    ALTERNATIVES,
    FIELD_OF,
    NAMES,
    NARROW,
    PREAMBLE,
    WEIGHED_ADAPTER,
    normalise_spelling,
    several_more,
    without_markup,
)
from generation.samplers import SAMPLERS
from generation.strength_ladder import LADDER

_SIDES = re.compile(r"(\d{1,5})[x×](\d{1,5})", re.IGNORECASE)


def _strength(value: str) -> float | str:
    """Parse a number or a percentage; ``ladder``, which stands for several strengths, is returned as it is."""
    if value.lower() == LADDER:
        return LADDER
    return float(value[:-1]) / 100 if value.endswith("%") else float(value)


def _side(value: str) -> int:
    """Parse a size, or width×height as the size with as many pixels: the picture keeps its shape anyway."""
    sides = _SIDES.fullmatch(value)
    return int(value) if sides is None else round(math.sqrt(int(sides[1]) * int(sides[2])))


def _repaint(value: str) -> Parts:
    if value.lower() not in PARTS:
        raise ValueError
    return cast("Parts", value.lower())


_CONVERT: dict[str, Callable[[str], Any]] = {
    "strength": _strength,
    "guidance_scale": float,
    "num_inference_steps": int,
    "seed": int,
    "count": int,
    "size": _side,
    "model": str,
    "sampler": str.lower,
    "adapter": str,
    "adapter_weight": float,
    "repaint": _repaint,
}
# The reason to refuse a value, for options that take words too.
_NOT_UNDERSTOOD = {"strength": "strength_not_understood", "repaint": "repaint_not_understood"}
# "strength 0.7", "strength: 0.7", "strength=.7" and "--strength 0.7"; a name alone is a word of the prompt. Words that
# introduce an option, as in "a sketch with strength 0.5", are removed with it.
_OPTION = re.compile(
    rf"(?<![\w-])(?:(?:with|at|and|using)\s+(?:a\s+|the\s+)?)?"
    rf"(?P<dashes>--)?(?P<name>{ALTERNATIVES})(?P<sign>\s*[:=]\s*|\s+)(?P<value>[^\s,;]+)",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"(?<![\w-])(?:--(?P<dashed>negative[_ ]prompt|negative|neg|without)[:=\s]\s*"
    r"|(?P<named>negative[_ ]prompt|negative|neg)\s*[:=]\s*)(?P<text>.+)$",
    re.IGNORECASE | re.DOTALL,
)
# Quoted text is taken literally, even if it looks like an option.
_QUOTED_NEGATIVE = re.compile(
    r"(?<![\w-])(?:--)?(?:negative[_ ]prompt|negative|neg)\s*[:=]\s*[\"“]"
    r"(?:(?P<whole>.*)[\"”]\s*$|(?P<part>[^\"“”]*)[\"”])",
    re.IGNORECASE | re.DOTALL,
)
# Looks like an option but is unknown or has no value; applied after the options have been removed.
_LEFT_OVER = re.compile(
    r"(?<![\w-])--(?P<dashed>[a-z]\w*)|(?<!\S)(?P<named>[a-z]\w\w+)="
    rf"|(?<![\w-])(?P<open>{ALTERNATIVES})\s*[:=]\s*(?=[,;]|$)",
    re.IGNORECASE,
)
_WORD_BEFORE_NUMBER = re.compile(r"(?<![\w-])(?P<word>[a-z]{4,})\s+[-+]?\.?\d", re.IGNORECASE)
_SAME_WORD = 0.85  # "strenght", "step" and "guidence" are meant as options, "court" is not "count"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)%?")
_PICTURE = re.compile(r"(?:picture|image|#)\s*(?P<number>\d{1,2})(?:[\s,;:]+|$)", re.IGNORECASE)
_MENTION = re.compile(r"<@[!&]?\d+>")
# Nothing but a name and what looks like its value: "seed random", "strength high", "sampler best"; not "seed packet".
_NAME_AND_WORD = re.compile(
    r"\s*(?:(?:strength|guidance|cfg|steps|seed)\s+(?:[^\s,;]*\d[^\s,;]*|any|auto|best|default|full|half|high|less|lots"
    r"|low|many|max|maximum|medium|min|minimum|more|much|new|none|off|on|one|two|three|four|five|ten|random|same|strong"
    r"|weak|zero)|(?:sampler|adapter|lora)\s+[^\s,;]+|repaint\s+(?:all|mask))[.!?]*\s*",
    re.IGNORECASE,
)
# Nothing but a word and a fraction: an option in another language, or one that does not exist.
_WORD_AND_FRACTION = re.compile(r"\s*(?P<word>[^\W\d]+)\s*[:=]?\s*0?[.,]\d+\s*")


@dataclass(frozen=True, slots=True)
class ParsedText:
    """What was understood: unset ``options`` are None, and an empty prompt means that none was given.

    ``again`` asks for another attempt at the same, ``help`` for the help and nothing else, ``seed`` for a picture's
    seed. A ``remark``, such as "thanks, so cool", is no request if it comes without a picture; neither is a message
    that ``asks_to_cancel``, such as "cancel" or "delete this please".
    """

    options: Options = field(default_factory=lambda: Options(prompt=""))
    again: bool = False
    help: bool = False
    seed: bool = False
    remark: bool = False
    asks_to_cancel: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was said."""
        return self == ParsedText()

    @property
    def has_no_words(self) -> bool:
        """Whether the prompt is only digits and punctuation, such as "0,7" or "…", which nobody wants painted."""
        prompt = self.options.prompt
        return prompt != "" and not any(unicodedata.category(character)[0] in "LS" for character in prompt)


def parse_text(text: str, *, models: Collection[str] = ()) -> ParsedText:
    """Parse a message; raise Refused for text that looks like an option but cannot be understood as one.

    An option is a name followed by a value, in any order and anywhere: ``a fox in snow, strength 0.7 seed 5``. An
    adapter may include its weight, and several are allowed: ``adapter: ink:0.8, clay:0.5``. The negative prompt is
    everything after ``negative:`` except options, or the quoted text there. A name without a fitting value, as in "the
    strength of a lion", belongs to the prompt unless ``:``, ``=`` or ``--`` marks it as an option. ``models`` are the
    selectable models, whose plain names would otherwise be words of the prompt.

    The reasons are an invalid value (``not_understood``, ``strength_not_understood``, ``repaint_not_understood``), a
    name without a value (``option_without_value``), an unknown name (``option_unknown``) or a misspelt one
    (``option_misspelt``), a name that occurs twice (``option_twice``), and a request to enlarge a picture
    (``no_enlarging``).
    """
    values: dict[str, Any] = {}
    if (quoted := _QUOTED_NEGATIVE.search(text)) is not None:
        values["negative_prompt"] = " ".join((quoted["whole"] or quoted["part"] or "").split("\n")).strip()
        text = text[: quoted.start()] + text[quoted.end() :]
    text = _MENTION.sub(" ", without_markup(text.translate(NARROW)))
    if asks_for_help(text):
        return ParsedText(help=True)
    text = normalise_spelling(text)
    is_nothing_else = _NAME_AND_WORD.fullmatch(text) is not None

    def take(match: re.Match[str]) -> str:
        name = FIELD_OF[match["name"].lower()]
        is_explicit = is_nothing_else or bool(match["dashes"]) or match["sign"].strip() != ""
        if name == "negative_prompt":
            return match[0]
        value = match["value"].rstrip(".!?")
        if not is_explicit and not _fits(name, value) and not (name == "model" and value in models):
            return match[0]
        if name in values and name != "adapter":
            raise Refused("option_twice", option=match["name"].lower())
        try:
            converted = _CONVERT[name](value)
        except ValueError as error:
            reason = _NOT_UNDERSTOOD.get(name, "not_understood")
            is_whole = _CONVERT[name] is int
            raise Refused(reason, option=match["name"].lower(), value=value[:40], is_whole=is_whole) from error
        values[name] = f"{values[name]}, {converted}" if name in values else converted
        return " "

    text = PREAMBLE.sub("", _OPTION.sub(take, text))
    if (several := several_more(_tidy(text))) is not None:
        text = _OPTION.sub(take, f"again count={several}")
    if (negative := _NEGATIVE.search(text)) is not None:
        values["negative_prompt"] = _tidy(negative["text"])
        text = text[: negative.start()]
    _refuse_leftovers(text)
    if (unknown := _WORD_AND_FRACTION.fullmatch(text)) is not None:
        raise _unknown_option(unknown["word"].lower())
    words = words_of(text)
    if not values and asks_to_enlarge(words):
        raise Refused("no_enlarging")
    if not values and asks_for_seed(words):
        return ParsedText(seed=True)
    if not values and (name := _tidy(text).rstrip(".!?").lower()) in FIELD_OF and name != "model":
        raise Refused("option_without_value", option=name)
    again = asks_again(words)
    if is_filler(words) and (values or again):
        return ParsedText(replace(Options(prompt=""), **values), again=again)
    options = replace(Options(prompt=_tidy(text)), **values)
    return ParsedText(
        options, remark=not values and is_remark(text), asks_to_cancel=not values and asks_to_cancel(words)
    )


def picture_named(prompt: str, count: int) -> tuple[int | None, str]:
    """Return which of ``count`` pictures, from 1, a prompt starts with ("picture 3, at night"), and the rest of it.

    With a single picture, or no picture of that number, the words belong to the prompt.
    """
    named = _PICTURE.match(prompt)
    if count == 1 or named is None or not 1 <= int(named["number"]) <= count:
        return None, prompt
    return int(named["number"]), prompt[named.end() :]


def format_negative_prompt(negative_prompt: str) -> str:
    """Format a negative prompt so that ``parse_text`` reads it unchanged; it has to come last."""
    plain = f"negative: {negative_prompt}"
    with contextlib.suppress(Refused):
        if parse_text(plain) == ParsedText(Options(prompt="", negative_prompt=negative_prompt)):
            return plain
    return f'negative: "{negative_prompt}"'


def _refuse_leftovers(text: str) -> None:
    """Raise Refused for leftovers that were meant as an option, instead of putting them into the prompt."""
    for match in _LEFT_OVER.finditer(text):
        option = (match["dashed"] or match["named"] or match["open"]).lower()
        if option in FIELD_OF:
            raise Refused("option_without_value", option=option)
        raise _unknown_option(option)
    for match in _WORD_BEFORE_NUMBER.finditer(text):
        word = match["word"].lower()
        if word not in FIELD_OF and (meant := difflib.get_close_matches(word, FIELD_OF, 1, _SAME_WORD)):
            raise Refused("option_misspelt", option=word, meant=meant[0])


def _unknown_option(option: str) -> Refused:
    known = ", ".join(
        f"`{names[-1] if field == 'num_inference_steps' else names[0]}`" for field, names in NAMES.items()
    )
    return Refused("option_unknown", option=option, known=known)


def _fits(name: str, value: str) -> bool:
    """Distinguish an option from words of a prompt: "model sd-turbo" is one, "a model train" is not."""
    match name:
        case "model":
            return "-" in value or any(character.isdigit() for character in value)
        case "sampler":
            return value.lower() in SAMPLERS
        case "repaint":
            return False  # "repaint all the walls"; what only an option can be has one spelling by now
        case "adapter":
            return WEIGHED_ADAPTER.fullmatch(value) is not None  # "adapter ink" may be part of the prompt
    return _NUMBER.fullmatch(value) is not None or (name == "size" and _SIDES.fullmatch(value) is not None)


def _tidy(text: str) -> str:
    """Close the gaps left by removed options."""
    text = re.sub(r"\s+([,;])", r"\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"\s*([,;|])(\s*[,;|])+", r"\1", text)
    return text.strip(" ,;|")
