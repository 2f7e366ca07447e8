"""Queries: members, channels, messages, interactions, calls, counters."""

from __future__ import annotations

from playground import errors
from playground.context import Playground
from playground.control.arguments import Action, Files
from playground.control.member_actions import MemberActions
from playground.models import Json
from playground.permissions import Permission
from playground.wire import command_json

MAX_WAIT_SECONDS = 30.0


class Queries:
    """Describes everything, hidden or not; with ``member`` only what that member can see."""

    def __init__(self, playground: Playground, member_actions: MemberActions) -> None:
        self.playground = playground
        self.member_actions = member_actions

    def actions(self) -> dict[str, Action]:
        """Return the queries by name."""
        return {
            "state": self.get_state,
            "messages": self.get_messages,
            "message": self.get_message,
            "interaction": self.get_interaction,
            "events": self.get_events,
            "commands": self.get_commands,
            "calls": self.get_calls,
            "stats": self.get_stats,
        }

    def status(self) -> Json:
        """Return whether the bot is connected and ready."""
        connected = self.playground.gateway.bot_is_connected
        return {"connected": connected, "ready": connected and self.playground.world.commands_registered}

    async def get_state(self, _arguments: Json, _files: Files) -> Json:
        playground = self.playground
        world = playground.world
        return {
            **self.status(),
            "bot": {"id": str(world.bot.id), "name": world.bot.name},
            "guild": {"id": str(world.guild.id), "name": world.guild.name},
            "members": [
                {"id": str(user.id), "name": user.name, "roles": self._roles(user.id)}
                for user in world.users.values()
                if not user.bot
            ],
            "roles": [{"id": str(role.id), "name": role.name} for role in world.guild.roles.values()],
            "channels": [playground.views.channel(channel) for channel in world.listed_channels()],
            "commands": [command_json(world, command) for command in world.commands.values()],
            "judged": playground.judge.active,
            "unjudged_reason": playground.judge.reason,
            "token": world.token,
            "last_event": playground.feed.last_number,
            "now": playground.clock.now(),
        }

    def _roles(self, user_id: int) -> list[str]:
        world = self.playground.world
        member = world.guild.members.get(user_id)
        names = [world.guild.roles[role_id].name for role_id in member.role_ids] if member is not None else []
        return [*names, "Owner"] if user_id == world.guild.owner_id else names

    async def get_messages(self, arguments: Json, _files: Files) -> Json:
        world = self.playground.world
        user = world.user_named(arguments["member"]) if arguments.get("member") else None
        channel = world.channel_named(arguments.get("channel", "general"), user)
        if user is not None:
            self.member_actions.place(user.name, str(channel.id), Permission.VIEW_CHANNEL)
        messages = [world.messages[message_id] for message_id in channel.message_ids]
        shown = [m for m in messages if user is None or m.visible_to in (None, user.id)]
        return {
            "messages": [self.playground.views.message(message) for message in shown],
            "last_event": self.playground.feed.last_number,
        }

    async def get_message(self, arguments: Json, _files: Files) -> Json:
        message = self.playground.world.messages.get(int(arguments["id"]))
        if message is None:
            raise errors.unknown_message()
        return self.playground.views.message(message)

    async def get_interaction(self, arguments: Json, _files: Files) -> Json:
        interaction = self.playground.world.interactions.get(int(arguments["id"]))
        if interaction is None:
            raise errors.unknown_interaction()
        return self.playground.views.interaction(interaction)

    async def get_events(self, arguments: Json, _files: Files) -> Json:
        timeout_seconds = min(float(arguments.get("timeout", MAX_WAIT_SECONDS)), MAX_WAIT_SECONDS)
        events = await self.playground.feed.after(int(arguments.get("after", 0)), timeout_seconds)
        return {"events": [event.to_json() for event in events]}

    async def get_commands(self, arguments: Json, _files: Files) -> Json:
        """List the commands that Discord's client would offer a member in a channel."""
        offered = self.member_actions.offered(arguments["member"], arguments["channel"])
        return {"commands": [command_json(self.playground.world, command) for command in offered]}

    async def get_calls(self, _arguments: Json, _files: Files) -> Json:
        return {"calls": [call.to_json() for call in self.playground.journal.calls]}

    async def get_stats(self, _arguments: Json, _files: Files) -> Json:
        playground = self.playground
        return playground.journal.counts() | {
            "faults": playground.faults.listed(),
            "sessions": len(playground.gateway.sessions),
            "advanced_seconds": playground.clock.advanced_seconds,
            "judged": playground.judge.active,
            "unjudged_reason": playground.judge.reason,
        }
