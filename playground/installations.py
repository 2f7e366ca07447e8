"""What the application is installed to: the server, and the accounts of users; each authorises interactions."""

from __future__ import annotations

from playground.models import Channel, Command, Install, Json
from playground.world import World


def authorizing_owners(world: World, channel: Channel, user_id: int, command: Command | None = None) -> Json:
    """Return whose installations authorise an interaction of a user in a channel: none if it is not possible.

    The keys are installation types; the values are the server, ``"0"`` for the bot's direct messages, and the user.
    https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-authorizing-integration-owners-object
    """
    possible = {Install.SERVER, Install.USER} if command is None else _installs(world, command)
    owners: Json = {}
    if Install.SERVER in possible and channel.is_direct:
        owners["0"] = "0"
    elif Install.SERVER in possible and not channel.is_foreign and world.bot.id in world.guild.members:
        owners["0"] = str(world.guild.id)
    if Install.USER in possible and world.user(user_id).has_installed:
        owners["1"] = str(user_id)
    return owners


def may_be_installed_to_users(world: World) -> bool:
    """Return whether the application's settings in the portal allow it."""
    return str(int(Install.USER)) in _supported(world)


def _installs(world: World, command: Command) -> set[Install]:
    if command.guild_id is not None:  # integration_types are "only for globally-scoped commands"
        return {Install.SERVER}
    types = command.definition.get("integration_types")
    return {Install(int(each)) for each in (_supported(world) if types is None else types)}


def _supported(world: World) -> Json:
    return world.application_settings.get("integration_types_config", {"0": {}})
