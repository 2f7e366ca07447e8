"""Discord's error codes: what they mean, and which of them are temporary."""

import aiohttp
import discord

# The interaction was not answered within 3 s; Discord has already told the person that the application did not respond.
UNKNOWN_INTERACTION = 10062
# Replying requires the permission to read the message history.
NO_HISTORY = 160002
# The thread is archived, or also locked so that only moderators can reopen it.
_THREAD_CLOSED = (50083, 160005)
# AutoMod, the server's own word filter, stops bots too: here because the bot quotes a member.
STOPPED_BY_AUTOMOD = 200000
# The person blocks the bot or accepts no direct messages from it. Opening the channel was seen to fail with status 400:
# https://github.com/discord/discord-api-docs/issues/1905
CANNOT_WRITE_TO_PERSON = (50007, 50278)
# The bot has opened too many channels for direct messages. The status is 403, but the reason is not the person.
OPENING_TOO_FAST = 40003
_REQUEST_TOO_LARGE = 40005
# Besides 5xx: the token is being replaced, a timeout, a rate limit.
_TEMPORARY_STATUSES = (401, 408, 429)


class KnownRefusal(Exception):
    """Discord would refuse the request, so it was not sent: refusals count towards a ban of the bot's IP address."""


def is_locked_out(error: discord.HTTPException) -> bool:
    """Return whether the bot is locked out, by permissions or because a thread is closed."""
    return isinstance(error, discord.Forbidden) or error.code in _THREAD_CLOSED


def is_too_large(error: discord.HTTPException) -> bool:
    """Return whether the files of a message are larger than Discord accepts."""
    return error.status == 413 or error.code == _REQUEST_TOO_LARGE


def is_temporary(error: BaseException) -> bool:
    """Return whether the same request may succeed later: Discord is busy, failing or out of reach."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status in _TEMPORARY_STATUSES
    return isinstance(error, aiohttp.ClientError | OSError) and not isinstance(error, FileNotFoundError)
