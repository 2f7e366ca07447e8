"""Discord's refusals: what their codes mean, and which of them are temporary."""

import aiohttp
import discord

# An interaction that was not answered within 3 s: the person has been told that nobody answered.
UNKNOWN_INTERACTION = 10062
# Who may not read the history may not reply.
NO_HISTORY = 160002
# A thread that was archived, or locked as well, so that nobody but moderators wakes it up.
_THREAD_CLOSED = (50083, 160005)
# What a server's own rules do not let anybody write, a bot neither: the words of a member that it repeats.
STOPPED_BY_AUTOMOD = 200000
# Beside 5xx: the token is just being replaced, too slow, too many.
_PASSING_STATUSES = (401, 408, 429)


class KnownRefusal(Exception):
    """Discord would refuse, and was not asked: its refusals count towards a ban of the bot's address."""


def is_closed(error: discord.HTTPException) -> bool:
    """Tell whether the bot is locked out, by permissions or because a thread is closed."""
    return isinstance(error, discord.Forbidden) or error.code in _THREAD_CLOSED


def is_passing(error: BaseException) -> bool:
    """Tell whether the same request may succeed later: Discord is busy, broken or out of reach."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status in _PASSING_STATUSES
    return isinstance(error, aiohttp.ClientError | OSError) and not isinstance(error, FileNotFoundError)
