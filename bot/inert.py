"""User text made inert: no markdown, no mention, no link, no change of writing direction."""

import re

import discord

_INVISIBLE = "\u200b"  # a zero-width space, which keeps Discord from interpreting the text around it
_TURNED = re.compile("[\u202a-\u202e\u2066-\u2069]")  # would reverse the text that follows, even the bot's own
# Links, which would be the bot's even where the member may post none; channels, commands, timestamps and the like.
_INVITING = r"\bdiscord(?:\.(?:gg|gift|new)|(?:app)?\.com)(?=/)"  # also links without https://
_ACTIVE = re.compile(
    rf"\w:(?=/)|{_INVITING}|<(?=#|/\w|t:|id:|sound:|tel:|sms:|mailto:|\+\d|[^\s<>@]+@[^\s<>@])", re.IGNORECASE
)


def inert(text: str, longest: int = 300) -> str:
    """Return a text on one line, escaped, of at most ``longest`` characters before escaping."""
    line = " ".join(_TURNED.sub("", text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    line = _ACTIVE.sub(rf"\g<0>{_INVISIBLE}", line)
    return discord.utils.escape_mentions(discord.utils.escape_markdown(line))


def inert_code(text: str) -> str:
    """Return a text that stays literal between backticks."""
    return _TURNED.sub("", text).replace("`", "'")
