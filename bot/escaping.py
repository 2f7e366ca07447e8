"""Escaping of user text: no markdown, no mention, no link, no change of writing direction."""

import re

import discord

_SEPARATOR = "\u200b"  # a zero-width space, which keeps Discord from interpreting the text around it
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # would reverse the text after them, even the bot's
# Links, which would be the bot's even where the member may post none; channels, commands, timestamps and the like.
_INVITES = r"\bdiscord(?:\.(?:gg|gift|new)|(?:app)?\.com)(?=/)"  # also links without https://
_ACTIVE = re.compile(
    rf"\w:(?=/)|{_INVITES}|<(?=#|/\w|t:|id:|sound:|tel:|sms:|mailto:|\+\d|[^\s<>@]+@[^\s<>@])", re.IGNORECASE
)


def escape_text(text: str, longest: int = 300) -> str:
    """Return a text on one line, escaped, of at most ``longest`` characters before escaping."""
    line = " ".join(_DIRECTION_MARKS.sub("", text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    line = _ACTIVE.sub(rf"\g<0>{_SEPARATOR}", line)
    return discord.utils.escape_mentions(discord.utils.escape_markdown(line))


def escape_code(text: str) -> str:
    """Return a text that stays literal between backticks."""
    return _DIRECTION_MARKS.sub("", text).replace("`", "'")
