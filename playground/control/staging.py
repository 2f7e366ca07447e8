"""Control requests that prepare a test: time, faults, permissions, channels, limits, the bot's connection."""

from __future__ import annotations

from collections.abc import Callable

from playground import errors
from playground.context import Playground
from playground.control.arguments import Action, Files
from playground.installations import may_be_installed_to_users
from playground.models import Json, Overwrite
from playground.permissions import Permission
from playground.wire import channel_json, guild_json, member_json


class Staging:
    """Changes that no member could make, announced over the gateway where Discord would."""

    def __init__(self, playground: Playground) -> None:
        self.playground = playground

    def actions(self) -> dict[str, Action]:
        """Return the actions by name."""
        return {
            "advance_clock": self.advance_clock,
            "add_fault": self.add_fault,
            "clear_faults": self.clear_faults,
            "set_rate_limit": self.set_rate_limit,
            "gateway": self.gateway,
            "set_permissions": self.set_permissions,
            "set_command_access": self.set_command_access,
            "add_member": self.add_member,
            "add_channel": self.add_channel,
            "add_foreign_channel": self.add_foreign_channel,
            "set_user_install": self.set_user_install,
            "add_thread": self.add_thread,
            "set_thread": self.set_thread,
            "time_out": self.time_out,
            "remove_channel": self.remove_channel,
            "leave": self.leave,
            "set_upload_limit": self.set_upload_limit,
            "set_direct_messages": self.set_direct_messages,
            "set_privileged_intents": self.set_privileged_intents,
            "set_automod": self.set_automod,
            "set_application": self.set_application,
            "set_url_lifetime": self.set_url_lifetime,
            "judge": self.judge,
        }

    async def advance_clock(self, arguments: Json, _files: Files) -> Json:
        self.playground.clock.advance(float(arguments["seconds"]))
        return {"now": self.playground.clock.now()}

    async def add_fault(self, arguments: Json, _files: Files) -> Json:
        return {"id": self.playground.faults.add(**arguments).id}

    async def clear_faults(self, arguments: Json, _files: Files) -> Json:
        self.playground.faults.clear(arguments.get("id"))
        return {}

    async def set_rate_limit(self, arguments: Json, _files: Files) -> Json:
        if arguments.get("pattern") is None:
            self.playground.rate_limits.reset()
        else:
            limit, per_seconds = int(arguments["limit"]), float(arguments["per_seconds"])
            self.playground.rate_limits.set_limit(arguments["pattern"], limit, per_seconds)
        return {}

    async def gateway(self, arguments: Json, _files: Files) -> Json:
        gateway = self.playground.gateway
        actions: dict[str, Callable[[], None]] = {
            "drop": gateway.drop,
            "reconnect": gateway.ask_to_reconnect,
            "invalid_session": lambda: gateway.invalidate(resumable=False),
            "invalid_session_resumable": lambda: gateway.invalidate(resumable=True),
        }
        if (action := actions.get(arguments["action"])) is None:
            raise ValueError(f"a gateway action must be one of {', '.join(actions)}")
        action()
        return {}

    async def set_permissions(self, arguments: Json, _files: Files) -> Json:
        """Set the overwrite of the bot (or a member or role) in a channel, replacing the previous one."""
        world = self.playground.world
        channel = world.channel_named(arguments["channel"])
        target = arguments.get("target", "bot")
        role = next((role for role in world.guild.roles.values() if role.name == target), None)
        target_id = role.id if role is not None else (world.bot.id if target == "bot" else world.user_named(target).id)
        channel.overwrites[target_id] = Overwrite(
            id=target_id,
            is_member=role is None,
            allow=int(Permission.parse(arguments.get("allow") or [])),
            deny=int(Permission.parse(arguments.get("deny") or [])),
        )
        self._channel_event("CHANNEL_UPDATE", channel_json(world, channel))
        return self.playground.views.channel(channel)

    async def set_command_access(self, arguments: Json, _files: Files) -> Json:
        """Grant a command to everybody, whatever its default permissions, or restore these."""
        given = self.playground.world.commands_for_everybody
        (given.add if arguments["everybody"] else given.discard)(arguments["name"])
        return {}

    async def add_member(self, arguments: Json, _files: Files) -> Json:
        user = self.playground.world.add_member(arguments["name"])
        return {"id": str(user.id), "name": user.name}

    async def add_channel(self, arguments: Json, _files: Files) -> Json:
        world = self.playground.world
        channel = world.add_channel(
            arguments["name"], age_restricted=bool(arguments.get("age_restricted")), voice=bool(arguments.get("voice"))
        )
        self._channel_event("CHANNEL_CREATE", channel_json(world, channel))
        return self.playground.views.channel(channel)

    async def add_foreign_channel(self, arguments: Json, _files: Files) -> Json:
        """Add a channel where the bot is not and never learns of."""
        playground = self.playground
        channel = playground.world.add_foreign_channel(
            arguments["name"],
            age_restricted=bool(arguments.get("age_restricted")),
            is_group=bool(arguments.get("is_group")),
        )
        self._publish_channels()
        return playground.views.channel(channel)

    async def set_user_install(self, arguments: Json, _files: Files) -> Json:
        """Install the application to a member's account, if its settings in the portal allow that, or remove it."""
        world = self.playground.world
        if arguments["installed"] and not may_be_installed_to_users(world):
            raise errors.missing_access()
        world.user_named(arguments["member"]).has_installed = bool(arguments["installed"])
        return {}

    async def add_thread(self, arguments: Json, _files: Files) -> Json:
        world = self.playground.world
        thread = world.add_thread(arguments["name"], world.channel_named(arguments["channel"]))
        self._channel_event("THREAD_CREATE", channel_json(world, thread) | {"newly_created": True})
        return self.playground.views.channel(thread)

    async def set_thread(self, arguments: Json, _files: Files) -> Json:
        world = self.playground.world
        thread = world.channel_named(arguments["name"])
        thread.archived, thread.locked = bool(arguments["archived"]), bool(arguments["locked"])
        self._channel_event("THREAD_UPDATE", channel_json(world, thread))
        return self.playground.views.channel(thread)

    async def time_out(self, arguments: Json, _files: Files) -> Json:
        """Time a member, or ``bot``, out; only its own timeout is sent to a bot without the intent."""
        world = self.playground.world
        user = world.bot if arguments["member"] == "bot" else world.user_named(arguments["member"])
        member = world.guild.members[user.id]
        member.timed_out_until = world.clock.now() + float(arguments["seconds"])
        if user is world.bot:
            body = member_json(member) | {"guild_id": str(world.guild.id)}
            self.playground.gateway.dispatch("GUILD_MEMBER_UPDATE", lambda _intents: body)
        return {}

    async def remove_channel(self, arguments: Json, _files: Files) -> Json:
        world = self.playground.world
        channel = world.channel_named(arguments["name"])
        body = channel_json(world, channel)
        world.remove_channel(channel)
        self._channel_event("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", body)
        return {}

    async def leave(self, arguments: Json, _files: Files) -> Json:
        """Remove a member, or ``bot``, from the server; only its own removal is sent to the bot."""
        world = self.playground.world
        user = world.bot if arguments["member"] == "bot" else world.user_named(arguments["member"])
        if world.guild.members.pop(user.id, None) is not None and user is world.bot:
            self.playground.gateway.dispatch("GUILD_DELETE", lambda _intents: {"id": str(world.guild.id)})
        return {}

    def _channel_event(self, event: str, body: Json) -> None:
        self.playground.gateway.dispatch(event, lambda _intents: body)
        self._publish_channels()

    def _publish_channels(self) -> None:
        channels = [self.playground.views.channel(channel) for channel in self.playground.world.listed_channels()]
        self.playground.feed.publish("channels", {"channels": channels})

    async def set_upload_limit(self, arguments: Json, _files: Files) -> Json:
        world = self.playground.world
        world.guild.max_file_bytes = int(arguments["bytes"])
        body = guild_json(world)
        self.playground.gateway.dispatch("GUILD_UPDATE", lambda _intents: body)
        return {}

    async def set_direct_messages(self, arguments: Json, _files: Files) -> Json:
        self.playground.world.user_named(arguments["member"]).accepts_direct_messages = bool(arguments["accepted"])
        return {}

    async def set_privileged_intents(self, arguments: Json, _files: Files) -> Json:
        self.playground.world.privileged_intents = int(arguments["intents"])
        return {}

    async def set_automod(self, arguments: Json, _files: Files) -> Json:
        self.playground.world.automod_words = tuple(word.lower() for word in arguments["words"])
        return {}

    async def set_application(self, arguments: Json, _files: Files) -> Json:
        self.playground.world.application_settings = arguments["settings"]
        return {}

    async def set_url_lifetime(self, arguments: Json, _files: Files) -> Json:
        self.playground.files.url_seconds = float(arguments["seconds"])
        return {}

    async def judge(self, arguments: Json, _files: Files) -> Json:
        """Validate any JSON against a schema of Discord's document, for tests of gateway payloads."""
        found = self.playground.judge.schema_violations(arguments["schema"], arguments["body"])
        return {"violations": [{"path": path, "message": message} for path, message in found]}
