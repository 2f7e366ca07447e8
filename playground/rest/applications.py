"""The bot's application: its description, its commands, and its gateway URL."""

from __future__ import annotations

from typing import Any

from playground import errors, limits
from playground.models import Command, CommandType, Json
from playground.rest.endpoint import Answer, Endpoint, RestRequest
from playground.wire import application_json, command_json


async def get_application(request: RestRequest) -> Answer:
    if request.params.get("application_id", "@me") not in ("@me", str(request.world.application_id)):
        raise errors.missing_access()
    return Answer(body=application_json(request.world))


async def get_gateway(request: RestRequest) -> Answer:
    return Answer(body={"url": request.playground.gateway_url})


async def get_gateway_bot(request: RestRequest) -> Answer:
    used = request.playground.journal.identifies
    start: Json = {"total": 1000, "remaining": max(0, 1000 - used), "reset_after": 86_400_000, "max_concurrency": 1}
    return Answer(body={"url": request.playground.gateway_url, "shards": 1, "session_start_limit": start})


def _scope(request: RestRequest) -> int | None:
    """Return the guild of the path's commands, or None for global ones."""
    if request.id("application_id") != request.world.application_id:
        raise errors.missing_access()
    if "guild_id" not in request.params:
        return None
    if request.id("guild_id") != request.world.guild.id:
        raise errors.missing_access()
    return request.id("guild_id")


def _in_scope(request: RestRequest, guild_id: int | None) -> list[Command]:
    return [command for command in request.world.commands.values() if command.guild_id == guild_id]


async def list_commands(request: RestRequest) -> Answer:
    world = request.world
    return Answer(body=[command_json(world, command) for command in _in_scope(request, _scope(request))])


async def overwrite_commands(request: RestRequest) -> Answer:
    guild_id, world = _scope(request), request.world
    definitions: list[Json] = request.body.payload or []
    _check_commands(definitions)
    old = {(command.type, command.name): command for command in _in_scope(request, guild_id)}
    for command in old.values():
        del world.commands[command.id]
    kept = [_store(request, definition, guild_id, old) for definition in definitions]
    _announce(request)
    return Answer(body=[command_json(world, command) for command in kept])


async def create_command(request: RestRequest) -> Answer:
    guild_id = _scope(request)
    _check_commands([request.payload])
    old = {(command.type, command.name): command for command in _in_scope(request, guild_id)}
    known = (_kind(request.payload), request.payload["name"]) in old
    command = _store(request, request.payload, guild_id, old)
    _announce(request)
    return Answer(status=200 if known else 201, body=command_json(request.world, command))


def _store(
    request: RestRequest, definition: Json, guild_id: int | None, old: dict[tuple[CommandType, str], Command]
) -> Command:
    """Store a command; one of the same name and type keeps its id, and its version if nothing changed."""
    world = request.world
    kind = _kind(definition)
    before = old.get((kind, definition["name"]))
    unchanged = before is not None and before.definition == definition
    command = Command(
        id=before.id if before is not None else world.ids.next(),
        name=definition["name"],
        type=kind,
        guild_id=guild_id,
        version=before.version if before is not None and unchanged else world.ids.next(),
        definition=definition,
    )
    world.commands[command.id] = command
    return command


def _command(request: RestRequest) -> Command:
    guild_id = _scope(request)
    command = request.world.commands.get(request.id("command_id"))
    if command is None or command.guild_id != guild_id:
        raise errors.unknown_command()
    return command


async def get_command(request: RestRequest) -> Answer:
    return Answer(body=command_json(request.world, _command(request)))


async def edit_command(request: RestRequest) -> Answer:
    command = _command(request)
    definition = command.definition | request.payload
    _check_commands([definition])
    command.definition, command.name, command.version = definition, definition["name"], request.world.ids.next()
    _announce(request)
    return Answer(body=command_json(request.world, command))


async def delete_command(request: RestRequest) -> Answer:
    del request.world.commands[_command(request).id]
    _announce(request)
    return Answer()


def _announce(request: RestRequest) -> None:
    request.world.commands_registered = True
    commands = [command_json(request.world, command) for command in request.world.commands.values()]
    request.playground.feed.publish("commands", {"commands": commands})
    request.playground.gateway.on_status()


def _kind(definition: Json) -> CommandType:
    return CommandType(definition.get("type") or CommandType.CHAT_INPUT)


def _check_commands(definitions: list[Json]) -> None:
    """Reject what the document cannot express: duplicate names, too many commands, too many characters."""
    tree: Json = {}
    seen: set[tuple[CommandType, str]] = set()
    for number, definition in enumerate(definitions):
        kind, name = _kind(definition), definition["name"]
        if (kind, name) in seen:
            words = "Application command names must be unique"
            errors.add_error(tree, [str(number), "name"], "APPLICATION_COMMANDS_DUPLICATE_NAME", words)
        seen.add((kind, name))
        if _characters(definition) > limits.COMMAND_CHARACTERS:
            words = f"Command exceeds maximum size ({limits.COMMAND_CHARACTERS})"
            errors.add_error(tree, [str(number)], "APPLICATION_COMMAND_TOO_LARGE", words)
        if kind is CommandType.CHAT_INPUT:
            if name != name.lower() or " " in name:
                words = "Command name is invalid"
                errors.add_error(tree, [str(number), "name"], "APPLICATION_COMMAND_INVALID_NAME", words)
            if not definition.get("description"):
                errors.add_error(tree, [str(number), "description"], "BASE_TYPE_REQUIRED", "This field is required")
            _check_order(definition.get("options") or [], tree, [str(number), "options"])
    if tree:
        raise errors.invalid_form(tree)
    chat = sum(kind is CommandType.CHAT_INPUT for kind, _ in seen)
    if chat > limits.GLOBAL_CHAT_COMMANDS:
        raise errors.DiscordError(400, 30032, "Maximum number of application commands reached (100).")
    for kind in (CommandType.USER, CommandType.MESSAGE):
        if sum(seen_kind is kind for seen_kind, _ in seen) > limits.GLOBAL_MENU_COMMANDS:
            raise errors.DiscordError(400, 30032, "Maximum number of application commands reached (15).")


def _check_order(options: list[Json], tree: Json, path: list[str]) -> None:
    """Check that required options come before the others."""
    optional_seen = False
    for number, option in enumerate(options):
        if option.get("required") and optional_seen:
            words = "Required options must be placed before non-required options"
            errors.add_error(tree, [*path, str(number)], "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", words)
        optional_seen = optional_seen or not option.get("required")
        if option.get("type") in (1, 2):
            _check_order(option.get("options") or [], tree, [*path, str(number), "options"])


def _characters(definition: Any) -> int:
    """Count the characters of a command, its options and its choices, with the longest localization of each text."""
    total = 0
    for key in ("name", "description", "value"):
        texts = [definition.get(key), *(definition.get(f"{key}_localizations") or {}).values()]
        total += max((len(text) for text in texts if isinstance(text, str)), default=0)
    for key in ("options", "choices"):
        total += sum(_characters(child) for child in definition.get(key) or [])
    return total


GLOBAL = "/applications/{application_id}/commands"
IN_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
ENDPOINTS = [
    Endpoint(method="GET", template="/oauth2/applications/@me", handler=get_application),
    Endpoint(method="GET", template="/applications/@me", handler=get_application),
    Endpoint(method="GET", template="/applications/{application_id}", handler=get_application),
    Endpoint(method="GET", template="/gateway", handler=get_gateway, needs_token=False),
    Endpoint(method="GET", template="/gateway/bot", handler=get_gateway_bot),
]
for _base in (GLOBAL, IN_GUILD):
    ENDPOINTS += [
        Endpoint(method="GET", template=_base, handler=list_commands),
        Endpoint(method="PUT", template=_base, handler=overwrite_commands),
        Endpoint(method="POST", template=_base, handler=create_command),
        Endpoint(method="GET", template=f"{_base}/{{command_id}}", handler=get_command),
        Endpoint(method="PATCH", template=f"{_base}/{{command_id}}", handler=edit_command),
        Endpoint(method="DELETE", template=f"{_base}/{{command_id}}", handler=delete_command),
    ]
