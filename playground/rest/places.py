"""Users, servers and channels: what the bot can look up about where it is."""

from __future__ import annotations

from playground import errors
from playground.gateway.protocol import Intent
from playground.models import Json
from playground.permissions import sending
from playground.rest.access import require, visible_channel
from playground.rest.endpoint import Answer, Endpoint, RestRequest
from playground.wire import (
    channel_json,
    guild_json,
    member_json,
    own_user_json,
    partial_guild_json,
    role_json,
    user_json,
)


async def get_current_user(request: RestRequest) -> Answer:
    return Answer(body=own_user_json(request.world.bot))


async def get_user(request: RestRequest) -> Answer:
    return Answer(body=user_json(request.world.user(request.id("user_id"))))


async def list_current_guilds(request: RestRequest) -> Answer:
    world = request.world
    return Answer(body=[partial_guild_json(world)] if world.bot.id in world.guild.members else [])


async def open_direct_channel(request: RestRequest) -> Answer:
    recipient = request.payload.get("recipient_id")
    if recipient is None:
        raise errors.invalid_field("recipient_id", "BASE_TYPE_REQUIRED", "This field is required")
    if int(recipient) == request.world.bot.id:
        raise errors.cannot_message_user()
    channel = request.world.direct_channel(int(recipient))
    return Answer(body=channel_json(request.world, channel))


def _check_guild(request: RestRequest) -> None:
    if request.id("guild_id") != request.world.guild.id:
        raise errors.unknown_guild()
    if request.world.bot.id not in request.world.guild.members:
        raise errors.missing_access()


async def get_guild(request: RestRequest) -> Answer:
    _check_guild(request)
    body = guild_json(request.world)
    if request.query.get("with_counts") in ("1", "true", "True"):
        count = len(request.world.guild.members)
        body |= {"approximate_member_count": count, "approximate_presence_count": count}
    return Answer(body=body)


async def list_channels(request: RestRequest) -> Answer:
    _check_guild(request)
    world = request.world
    channels = [channel for channel in world.own_channels() if not channel.is_thread]
    return Answer(body=[channel_json(world, channel) for channel in channels])


async def list_roles(request: RestRequest) -> Answer:
    _check_guild(request)
    return Answer(body=[role_json(role) for role in request.world.guild.roles.values()])


async def get_member(request: RestRequest) -> Answer:
    _check_guild(request)
    member = request.world.guild.members.get(request.id("user_id"))
    if member is None:
        request.world.user(request.id("user_id"))
        raise errors.unknown_member()
    return Answer(body=member_json(member))


async def list_members(request: RestRequest) -> Answer:
    _check_guild(request)
    if not request.world.privileged_intents & Intent.GUILD_MEMBERS:
        raise errors.missing_access()
    limit, after = request.query_id("limit") or 1, request.query_id("after") or 0
    members = sorted(request.world.guild.members.values(), key=lambda member: member.user.id)
    return Answer(body=[member_json(member) for member in members if member.user.id > after][:limit])


async def get_channel(request: RestRequest) -> Answer:
    return Answer(body=channel_json(request.world, visible_channel(request)))


async def start_typing(request: RestRequest) -> Answer:
    channel = visible_channel(request)
    require(request, channel, sending(channel))
    typing: Json = {"channel": channel.name, "name": request.world.bot.name}
    request.playground.feed.publish("typing", typing)
    return Answer()


ENDPOINTS = [
    Endpoint(method="GET", template="/users/@me", handler=get_current_user),
    Endpoint(method="GET", template="/users/@me/guilds", handler=list_current_guilds),
    Endpoint(method="POST", template="/users/@me/channels", handler=open_direct_channel),
    Endpoint(method="GET", template="/users/{user_id}", handler=get_user),
    Endpoint(method="GET", template="/guilds/{guild_id}", handler=get_guild),
    Endpoint(method="GET", template="/guilds/{guild_id}/channels", handler=list_channels),
    Endpoint(method="GET", template="/guilds/{guild_id}/roles", handler=list_roles),
    Endpoint(method="GET", template="/guilds/{guild_id}/members", handler=list_members),
    Endpoint(method="GET", template="/guilds/{guild_id}/members/{user_id}", handler=get_member),
    Endpoint(method="GET", template="/channels/{channel_id}", handler=get_channel),
    Endpoint(method="POST", template="/channels/{channel_id}/typing", handler=start_typing),
]
