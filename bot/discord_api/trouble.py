"""Which of Discord's refusals pass by themselves."""

import aiohttp
import discord

# An interaction that was not answered within 3 s: the person has been told that nobody answered.
UNKNOWN_INTERACTION = 10062
# Beside 5xx: the token is just being replaced, too slow, too many.
_PASSING_STATUSES = (401, 408, 429)


def is_passing(error: BaseException) -> bool:
    """Tell whether the same request may well go through later: Discord busy, broken or out of reach."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status in _PASSING_STATUSES
    return isinstance(error, aiohttp.ClientError | OSError) and not isinstance(error, FileNotFoundError)
