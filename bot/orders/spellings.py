"""The ways people write options: other programs' names, decimal commas, full-width digits, numbers first, words."""

import re

from bot.orders.small_talk import STRENGTH_WORDS

NAMES = {
    "negative_prompt": ("negative_prompt", "negative prompt", "negative", "neg", "without"),
    # Each list ends with names that other programs use.
    "strength": ("strength", "denoising_strength", "denoising strength", "denoise"),
    "guidance_scale": ("guidance_scale", "guidance scale", "guidance", "cfg", "cfg_scale", "cfg scale"),
    "num_inference_steps": ("num_inference_steps", "steps"),
    "seed": ("seed",),
    "count": ("count",),
    "size": ("size",),
    "model": ("model",),
    "sampler": ("sampler",),
    "adapter": ("adapter", "lora"),
    "adapter_weight": ("adapter_weight", "adapter weight"),
    "repaint": ("repaint",),
}
FIELD_OF = {name: field for field, names in NAMES.items() for name in names}
ALTERNATIVES = "|".join(re.escape(name) for name in sorted(FIELD_OF, key=len, reverse=True))
# "a strength of 0.5" and "strength to 70%"; "the strength of 10 lions" belongs to a prompt.
_STRENGTH_OF = re.compile(r"(?<![\w-])(strength)\s+(?:of|to)\s+(?=(?:[01]?[.,]\d+|\d+%)(?!\w))", re.IGNORECASE)
# "strength: subtle", and "strength subtle" at the end of a clause; "the strength high up there" belongs to a prompt.
_STRENGTH_WORDS = "|".join(STRENGTH_WORDS)
_STRENGTH_IN_WORDS = re.compile(
    rf"(?<![\w-])strength(?:\s*[:=]\s*(?P<said>{_STRENGTH_WORDS})\b|\s+(?P<named>{_STRENGTH_WORDS})(?=\s*(?:[,;.!?]|$)))",
    re.IGNORECASE,
)
# Nothing but such a word, as in a reply.
_STRENGTH_WORD_ALONE = re.compile(r"\s*(subtle|balanced|strong|ladder)[\s.!]*", re.IGNORECASE)
# "0,7" with the decimal comma of half the world, also in a weight, "ink:0,8"; elsewhere a comma ends an option.
_DECIMAL_COMMA = re.compile(
    r"(?<![\w-])((?:(?:denoising_)?strength|denoise|guidance(?:[_ ]scale)?|cfg(?:[_ ]scale)?|adapter[_ ]weight)"
    rf"(?:\s*[:=]\s*|\s+)\d+|(?!(?:{ALTERNATIVES}):)[^\W\d][\w.-]*:[0-2]),(\d+)(?!\w)",
    re.IGNORECASE,
)
# Full-width characters, as East Asian keyboards produce: "strength：０．７".
NARROW = {ord(sign) + 0xFEE0: sign for sign in "0123456789.,:;=%+-"}
# An adapter with its weight: "adapter: ink:0.8", and "<lora:ink:0.8>" as AUTOMATIC1111's users write it.
_LORA = re.compile(r"<lora:([^<>:\s,;]+(?::[^<>:\s,;]+)?)>", re.IGNORECASE)
WEIGHED_ADAPTER = re.compile(rf"(?!(?:{ALTERNATIVES}):)\d*[^\W\d][^\s,;:=<>]*:\d*\.?\d+(?!\w)", re.IGNORECASE)
# "adapter: ink, clay:0.5": further adapters need a weight; without one, the prompt continues.
_ADAPTERS = re.compile(
    r"(?:(?<![\w-])(?:adapter|lora)\s*[:=]\s*[^\s,;]+|--(?:adapter|lora)\s+[^\s,;]+"
    rf"|(?<![\w-])(?:adapter|lora)\s+{WEIGHED_ADAPTER.pattern})(?:\s*,\s*{WEIGHED_ADAPTER.pattern})+",
    re.IGNORECASE,
)
# A command typed as text, by its name here or elsewhere, and a label before the prompt.
PREAMBLE = re.compile(r"^\s*(?:/(?:img2img|imagine)\b\s*)?(?:prompt\s*[:=]\s*)?", re.IGNORECASE)
# "0.4 strength" and "20 steps" between commas; "a cat, 4 steps up a ladder" is a prompt.
_NUMBER_FIRST = re.compile(
    r"(?:(?<=[,;])|^)\s*(?P<value>(?:\d+(?:[.,]\d+)?|[.,]\d+)%?)\s+(?P<name>strength|guidance|cfg|steps)\s*(?=[,;]|$)",
    re.IGNORECASE,
)
# "4 more", "again 4 times" or "again x4".
_SEVERAL_MORE = re.compile(
    r"(?:give me\s+)?(?:again[\s,]+x?(?P<times>\d{1,2})(?:\s*x|\s+times)?|(?P<more>\d{1,2})\s+(?:more|variations))"
    r"(?:\s+please)?[.!]*",
    re.IGNORECASE,
)
# A server's custom emoji, written with its id: "<:party_cat:1234>".
_SERVER_EMOJI = re.compile(r" ?<a?:(\w+):\d+> ?")
# "repaint only the transparent parts".
_REPAINT = re.compile(
    r"(?<![\w-])(?:only\s+)?repaint(?:\s*[:=]\s*|\s+)(?:only\s+)?(?:the\s+)?transparent\b"
    r"(?:\s+(?:parts?|areas?|pixels))?(?:\s+only\b)?",
    re.IGNORECASE,
)
# "a fox at 50% strength"; "a temple with 30 steps" is a prompt.
_STRENGTH_LAST = re.compile(
    r"\s(?:at|with|using)\s+(?P<value>[01]?[.,]\d+|\d+\s?%)\s+strength\s*(?=[,;.!]|$)", re.IGNORECASE
)


def without_markup(text: str) -> str:
    """Return a text without Discord's markup: no backticks, and custom emoji replaced by their names."""
    return _SERVER_EMOJI.sub(lambda emoji: f" {emoji[1].replace('_', ' ')} ", text).replace("`", " ")


def several_more(text: str) -> int | None:
    """Return how many more pictures are requested, if the text says nothing else."""
    several = _SEVERAL_MORE.fullmatch(text)
    return None if several is None else int(several["times"] or several["more"])


def normalise_spelling(text: str) -> str:
    """Return a text with its options in the form that ``bot.orders.free_text`` reads: a name, then a number or word."""
    text = _STRENGTH_LAST.sub(lambda last: f" strength {''.join(last['value'].split())}", text)
    text = _NUMBER_FIRST.sub(r" \g<name> \g<value> ", PREAMBLE.sub("", text))
    if (alone := _STRENGTH_WORD_ALONE.fullmatch(text)) is not None:
        text = f"strength {alone[1]}"
    text = _REPAINT.sub("repaint=transparent", text)
    text = _STRENGTH_IN_WORDS.sub(_strength_in_numbers, text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", _STRENGTH_OF.sub(r"\1 ", text))
    return _ADAPTERS.sub(lambda several: re.sub(r"\s*,\s*", " adapter=", several[0]), _LORA.sub(r" adapter=\1 ", text))


def _strength_in_numbers(match: re.Match[str]) -> str:
    return f"strength={STRENGTH_WORDS[(match['said'] or match['named']).lower()]}"
