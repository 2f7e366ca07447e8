"""Users, servers, channels and commands as Discord's JSON."""

from __future__ import annotations

from playground.clock import iso_time
from playground.limits import PREMIUM_TIER_BYTES
from playground.models import Channel, ChannelType, Command, Json, Member, Role, User
from playground.permissions import guild_permissions
from playground.world import World

# The application flag of a bot that may ask for message content without having been reviewed.
GATEWAY_MESSAGE_CONTENT_LIMITED = 1 << 19


def user_json(user: User) -> Json:
    return {
        "id": str(user.id),
        "username": user.name if user.bot else user.name.lower(),
        "global_name": None if user.bot else user.name,
        "discriminator": "0001" if user.bot else "0",
        "avatar": None,
        "banner": None,
        "accent_color": None,
        "avatar_decoration_data": None,
        "primary_guild": None,
        "collectibles": None,
        "public_flags": 0,
        "flags": 0,
        "bot": user.bot,
        "system": False,
    }


def own_user_json(user: User) -> Json:
    return user_json(user) | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}


def role_json(role: Role) -> Json:
    tags: Json = {} if role.bot_id is None else {"tags": {"bot_id": str(role.bot_id)}}
    return tags | {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.bot_id is not None,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def member_json(member: Member, *, with_user: bool = True) -> Json:
    body: Json = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": iso_time(member.timed_out_until) if member.timed_out_until else None,
        "flags": 0,
        "joined_at": iso_time(member.joined_at),
        "nick": None,
        "pending": False,
        "premium_since": None,
        "roles": [str(role_id) for role_id in member.role_ids],
        "mute": False,
        "deaf": False,
    }
    return body | {"user": user_json(member.user)} if with_user else body


def channel_json(world: World, channel: Channel) -> Json:
    last = str(channel.message_ids[-1]) if channel.message_ids else None
    body: Json = {"id": str(channel.id), "type": int(channel.type), "flags": 0, "last_message_id": last}
    if channel.is_direct:
        recipient = world.user(channel.recipient_id or 0)
        return body | {"recipients": [user_json(recipient)]}
    if channel.type is ChannelType.GROUP:
        everybody = [user_json(user) for user in world.viewers(channel)]
        return body | {"name": channel.name, "icon": None, "owner_id": str(world.owner.id), "recipients": everybody}
    if channel.is_thread:
        return body | _thread_json(world, channel)
    if channel.is_voice:
        body |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
    return body | {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "topic": channel.topic,
        "position": channel.position,
        "parent_id": None,
        "nsfw": channel.age_restricted,
        "rate_limit_per_user": 0,
        "permission_overwrites": [
            {"id": str(o.id), "type": int(o.is_member), "allow": str(o.allow), "deny": str(o.deny)}
            for o in channel.overwrites.values()
        ],
    }


def _thread_json(world: World, thread: Channel) -> Json:
    count = len(thread.message_ids)
    return {
        "guild_id": str(thread.guild_id),
        "name": thread.name,
        "parent_id": str(thread.parent_id),
        "owner_id": str(world.owner.id),
        "rate_limit_per_user": 0,
        "message_count": count,
        "total_message_sent": count,
        "member_count": 1,
        "thread_metadata": {
            "archived": thread.archived,
            "locked": thread.locked,
            "auto_archive_duration": 1440,
            "archive_timestamp": iso_time(world.guild.created_at),
        },
    }


def premium_tier(max_file_bytes: int) -> int:
    """Return the highest boost tier whose file limit is not above ``max_file_bytes``."""
    return max((tier for tier, size in PREMIUM_TIER_BYTES.items() if size <= max_file_bytes), default=0)


def guild_json(world: World) -> Json:
    """Return the server as ``GET /guilds/{id}`` describes it."""
    guild = world.guild
    unset = dict.fromkeys(
        (
            "icon",
            "description",
            "home_header",
            "splash",
            "discovery_splash",
            "banner",
            "application_id",
            "afk_channel_id",
            "system_channel_id",
            "widget_channel_id",
            "max_presences",
            "vanity_url_code",
            "rules_channel_id",
            "safety_alerts_channel_id",
            "public_updates_channel_id",
            "incidents_data",
        )
    )
    return {
        **unset,
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "features": [],
        "region": "us-west",
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "verification_level": 0,
        "roles": [role_json(role) for role in guild.roles.values()],
        "default_message_notifications": 0,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_members": 500000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "premium_tier": premium_tier(guild.max_file_bytes),
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
    }


def guild_create_json(world: World, *, all_members: bool) -> Json:
    """Return the server as in GUILD_CREATE: the bot's own member always, the others by intent."""
    members = world.guild.members.values()
    return guild_json(world) | {
        "joined_at": iso_time(world.guild.created_at),
        "large": False,
        "unavailable": False,
        "member_count": len(world.guild.members),
        "members": [member_json(m) for m in members if all_members or m.user.id == world.bot.id],
        "channels": [channel_json(world, c) for c in world.own_channels() if not c.is_thread],
        "threads": [channel_json(world, c) for c in world.own_channels() if c.is_thread and not c.archived],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def partial_guild_json(world: World) -> Json:
    """Return the server as ``GET /users/@me/guilds`` lists it."""
    return {
        "id": str(world.guild.id),
        "name": world.guild.name,
        "icon": None,
        "banner": None,
        "owner": False,
        "permissions": str(int(guild_permissions(world.guild, world.bot.id))),
        "features": [],
    }


def application_json(world: World) -> Json:
    """Return the bot's application as its owner sees it."""
    flags = GATEWAY_MESSAGE_CONTENT_LIMITED if world.privileged_intents & (1 << 15) else 0
    return {
        "id": str(world.application_id),
        "name": world.bot.name,
        "icon": None,
        "description": "",
        "type": None,
        "bot": user_json(world.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": world.verify_key,
        "flags": flags,
        "flags_new": str(flags),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user_json(world.owner),
        "approximate_guild_count": 1,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {"0": {}},
    } | world.application_settings


def command_json(world: World, command: Command) -> Json:
    body: Json = {
        "id": str(command.id),
        "application_id": str(world.application_id),
        "version": str(command.version),
        "type": int(command.type),
        "name": command.name,
        "default_member_permissions": None,
        "description": "",
    }
    shown = {key: value for key, value in command.definition.items() if value is not None and key != "id"}
    if "default_member_permissions" in shown:
        shown["default_member_permissions"] = str(shown["default_member_permissions"])
    if command.guild_id is not None:
        body["guild_id"] = str(command.guild_id)
    return body | shown | {"type": int(command.type)}
