"""Permission checks for the bot, before a route does its work."""

from __future__ import annotations

from playground import errors
from playground.models import Channel
from playground.permissions import Permission, seeing
from playground.rest.endpoint import RestRequest


def visible_channel(request: RestRequest) -> Channel:
    """Return the path's channel. Raises DiscordError 10003 if there is none, 50001 if the bot cannot see it."""
    channel = request.world.channel(request.id("channel_id"))
    require(request, channel, Permission.VIEW_CHANNEL)
    return channel


def require(request: RestRequest, channel: Channel, needed: Permission) -> None:
    """Raise DiscordError 50001 if the bot cannot see the channel, 50013 if it lacks any other permission."""
    owned = request.world.permissions(channel, request.world.bot.id)
    if seeing(channel) not in owned:
        raise errors.missing_access()
    if needed not in owned:
        raise errors.missing_permissions()
