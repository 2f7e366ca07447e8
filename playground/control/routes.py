"""Serve the control API under ``/control``: acts of members, the state of things, and what tests do to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import BodyPartReader, web

from playground import errors
from playground.context import PLAYGROUND, Playground
from playground.control.acts import Acts
from playground.control.options import checked_choices
from playground.files import Upload
from playground.models import Interaction, Json, Overwrite
from playground.permissions import Permission
from playground.wire import channel_json, command_json, guild_json

MAX_WAIT_SECONDS = 30.0


class Control:
    """Answer the requests of the page and of the Python client."""

    def __init__(self, playground: Playground) -> None:
        self.playground = playground
        self.acts = Acts(playground)
        playground.gateway.on_status = self._announce_status

    def _announce_status(self) -> None:
        self.playground.feed.publish("status", self.status())

    def status(self) -> Json:
        """Tell whether the bot is there and ready."""
        playground = self.playground
        connected = playground.gateway.bot_is_connected
        return {"connected": connected, "ready": connected and playground.world.commands_registered}

    # What there is
    async def get_state(self, _arguments: Json, _files: dict[str, Upload]) -> Json:
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
            "channels": [playground.views.channel(channel) for channel in world.channels.values()],
            "commands": [command_json(world, command) for command in world.commands.values()],
            "judged": playground.judge.active,
            "unjudged_reason": playground.judge.reason,
            "token": world.token,
            "last_event": playground.feed.last_number,
            "now": playground.clock.now(),
        }

    def _roles(self, user_id: int) -> list[str]:
        world = self.playground.world
        names = [world.guild.roles[role_id].name for role_id in world.guild.members[user_id].role_ids]
        return [*names, "Owner"] if user_id == world.guild.owner_id else names

    async def get_messages(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        world = self.playground.world
        user = world.user_named(arguments["member"]) if arguments.get("member") else None
        channel = world.channel_named(arguments.get("channel", "general"), user)
        if user is not None:
            self.acts.place(user.name, str(channel.id), Permission.VIEW_CHANNEL)
        messages = [world.messages[message_id] for message_id in channel.message_ids]
        shown = [m for m in messages if user is None or m.visible_to in (None, user.id)]
        return {
            "messages": [self.playground.views.message(message) for message in shown],
            "last_event": self.playground.feed.last_number,
        }

    async def get_message(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        message = self.playground.world.messages.get(int(arguments["id"]))
        if message is None:
            raise errors.unknown_message()
        return self.playground.views.message(message)

    async def get_interaction(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        interaction = self.playground.world.interactions.get(int(arguments["id"]))
        if interaction is None:
            raise errors.unknown_interaction()
        return self.playground.views.interaction(interaction)

    async def get_events(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        timeout_seconds = min(float(arguments.get("timeout", MAX_WAIT_SECONDS)), MAX_WAIT_SECONDS)
        events = await self.playground.feed.after(int(arguments.get("after", 0)), timeout_seconds)
        return {"events": [event.to_json() for event in events]}

    async def get_commands(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        """List the commands that Discord's client would offer a member in a channel."""
        offered = self.acts.offered(arguments["member"], arguments["channel"])
        return {"commands": [command_json(self.playground.world, command) for command in offered]}

    async def get_calls(self, _arguments: Json, _files: dict[str, Upload]) -> Json:
        return {"calls": [call.to_json() for call in self.playground.journal.calls]}

    async def get_stats(self, _arguments: Json, _files: dict[str, Upload]) -> Json:
        playground = self.playground
        return playground.journal.counts() | {
            "faults": playground.faults.listed(),
            "sessions": len(playground.gateway.sessions),
            "advanced_seconds": playground.clock.advanced_seconds,
            "judged": playground.judge.active,
            "unjudged_reason": playground.judge.reason,
        }

    # What members do
    async def say(self, arguments: Json, files: dict[str, Upload]) -> Json:
        message = self.acts.say(
            arguments["member"],
            arguments["channel"],
            arguments.get("content", ""),
            list(files.values()),
            reply_to=arguments.get("reply_to"),
            ping=arguments.get("ping", True),
            shown=arguments.get("referenced", "filled"),
            embeds=arguments.get("embeds"),
        )
        return self.playground.views.message(message)

    async def edit(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        message = self.acts.edit(arguments["member"], arguments["message_id"], arguments["content"])
        return self.playground.views.message(message)

    async def delete(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        self.acts.delete(arguments["member"], arguments["message_id"])
        return {}

    async def command(self, arguments: Json, files: dict[str, Upload]) -> Json:
        options = arguments.get("options") or {}
        return await self._finished(
            self.acts.command(arguments["member"], arguments["channel"], arguments["name"], options, files), arguments
        )

    async def message_command(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        started = self.acts.message_command(arguments["member"], arguments["name"], arguments["message_id"])
        return await self._finished(started, arguments)

    async def user_command(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        started = self.acts.user_command(
            arguments["member"], arguments["channel"], arguments["name"], arguments["target"]
        )
        return await self._finished(started, arguments)

    async def press(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        values = arguments.get("values") or []
        started = self.acts.press(arguments["member"], arguments["message_id"], arguments["component"], values)
        return await self._finished(started, arguments)

    async def submit_modal(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        started = self.acts.submit_modal(arguments["member"], arguments["interaction_id"], arguments["values"])
        return await self._finished(started, arguments)

    async def autocomplete(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        interaction = self.acts.autocomplete(
            arguments["member"],
            arguments["channel"],
            arguments["name"],
            arguments["option"],
            arguments["value"],
            arguments.get("options") or {},
        )
        await interaction.settled.wait()
        return {"choices": checked_choices(interaction.choices or []), "failed": interaction.failed}

    async def _finished(self, interaction: Interaction, arguments: Json) -> Json:
        """Wait until the bot has acknowledged or can no longer do so, unless the caller does not want to."""
        if arguments.get("wait", True):
            await interaction.settled.wait()
        return self.playground.views.interaction(interaction)

    # What tests do to the place
    async def advance_clock(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        self.playground.clock.advance(float(arguments["seconds"]))
        return {"now": self.playground.clock.now()}

    async def add_fault(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        return {"id": self.playground.faults.add(**arguments).id}

    async def clear_faults(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        self.playground.faults.clear(arguments.get("id"))
        return {}

    async def set_rate_limit(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        if arguments.get("pattern") is None:
            self.playground.rate_limits.reset()
        else:
            limit, per_seconds = int(arguments["limit"]), float(arguments["per_seconds"])
            self.playground.rate_limits.set_limit(arguments["pattern"], limit, per_seconds)
        return {}

    async def gateway(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        gateway = self.playground.gateway
        actions: dict[str, Callable[[], None]] = {
            "drop": gateway.drop,
            "reconnect": gateway.ask_to_reconnect,
            "invalid_session": lambda: gateway.invalidate(resumable=False),
            "invalid_session_resumable": lambda: gateway.invalidate(resumable=True),
        }
        if (action := actions.get(arguments["action"])) is None:
            raise ValueError(f"a gateway action is one of {', '.join(actions)}")
        action()
        return {}

    async def set_permissions(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        """Set the overwrite of the bot (or of a member or role) in a channel, replacing what was there."""
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

    async def add_channel(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        world = self.playground.world
        channel = world.add_channel(arguments["name"], age_restricted=bool(arguments.get("age_restricted")))
        self._channel_event("CHANNEL_CREATE", channel_json(world, channel))
        return self.playground.views.channel(channel)

    async def remove_channel(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        world = self.playground.world
        channel = world.channel_named(arguments["name"])
        body = channel_json(world, channel)
        world.remove_channel(channel)
        self._channel_event("CHANNEL_DELETE", body)
        return {}

    def _channel_event(self, event: str, body: Json) -> None:
        self.playground.gateway.dispatch(event, lambda _intents: body)
        channels = [self.playground.views.channel(channel) for channel in self.playground.world.channels.values()]
        self.playground.feed.publish("channels", {"channels": channels})

    async def set_upload_limit(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        world = self.playground.world
        world.guild.max_file_bytes = int(arguments["bytes"])
        body = guild_json(world)
        self.playground.gateway.dispatch("GUILD_UPDATE", lambda _intents: body)
        return {}

    async def set_direct_messages(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        self.playground.world.user_named(arguments["member"]).accepts_direct_messages = bool(arguments["accepted"])
        return {}

    async def set_privileged_intents(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        self.playground.world.privileged_intents = int(arguments["intents"])
        return {}

    async def set_url_lifetime(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        self.playground.files.url_seconds = float(arguments["seconds"])
        return {}

    async def judge(self, arguments: Json, _files: dict[str, Upload]) -> Json:
        """Judge any JSON by a schema of Discord's document, for tests of what the gateway carries."""
        found = self.playground.judge.schema_violations(arguments["schema"], arguments["body"])
        return {"violations": [{"path": path, "message": message} for path, message in found]}


async def _read_arguments(request: web.Request) -> tuple[Json, dict[str, Upload]]:
    """Return the arguments (query, JSON, or a multipart field ``json``) and the files by their field's name."""
    if request.method == "GET":
        return dict(request.query), {}
    if not request.content_type.startswith("multipart/"):
        return (await request.json() if request.can_read_body else {}), {}
    arguments: Json = {}
    files: dict[str, Upload] = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read())
        if part.filename is None:
            arguments |= json.loads(data)
        else:
            files[part.name or ""] = Upload(filename=part.filename, data=data)
    return arguments, files


Action = Callable[[Json, dict[str, Upload]], Awaitable[Json]]


def _route(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        try:
            arguments, files = await _read_arguments(request)
            return web.json_response(await action(arguments, files))
        except errors.DiscordError as error:
            return web.json_response(error.body(), status=error.status)
        except KeyError as error:
            return web.json_response({"message": f"missing argument: {error}", "code": 0}, status=400)
        except (ValueError, TypeError) as error:
            return web.json_response({"message": str(error), "code": 0}, status=400)

    return serve


async def serve_stream(request: web.Request) -> web.StreamResponse:
    """Stream events as server-sent events, from ``after`` or from the browser's Last-Event-ID on."""
    playground = request.app[PLAYGROUND]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    number = int(request.headers.get("Last-Event-ID") or request.query.get("after") or playground.feed.last_number)
    with suppress(ConnectionError, asyncio.CancelledError):  # the page was closed, or the stand-in ends
        while not playground.feed.closed:
            events = await playground.feed.after(number, 15.0)
            for event in events:
                data = json.dumps({"kind": event.kind, "data": event.data})
                await response.write(f"id: {event.number}\ndata: {data}\n\n".encode())
                number = event.number
            if not events:
                await response.write(b": still here\n\n")
    return response


def add_control(app: web.Application, playground: Playground) -> None:
    """Put the control API into the application."""
    control = Control(playground)
    reads: dict[str, Action] = {
        "state": control.get_state,
        "messages": control.get_messages,
        "message": control.get_message,
        "interaction": control.get_interaction,
        "events": control.get_events,
        "commands": control.get_commands,
        "calls": control.get_calls,
        "stats": control.get_stats,
    }
    writes: dict[str, Action] = {
        action.__name__: action
        for action in (
            control.say,
            control.edit,
            control.delete,
            control.command,
            control.message_command,
            control.user_command,
            control.press,
            control.submit_modal,
            control.autocomplete,
            control.advance_clock,
            control.add_fault,
            control.clear_faults,
            control.set_rate_limit,
            control.gateway,
            control.set_permissions,
            control.add_channel,
            control.remove_channel,
            control.set_upload_limit,
            control.set_direct_messages,
            control.set_privileged_intents,
            control.set_url_lifetime,
            control.judge,
        )
    }
    for name, action in reads.items():
        app.router.add_get(f"/control/{name}", _route(action))
    for name, action in writes.items():
        app.router.add_post(f"/control/{name}", _route(action))
    app.router.add_get("/control/stream", serve_stream)
