"""All slash and context menu commands: the list, their shared checks, and their registration with Discord."""

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.commands.defaults import defaults, preferences
from bot.commands.help import help_command
from bot.commands.img2img import img2img
from bot.commands.limits import limits
from bot.commands.moderation_lists import moderation
from bot.commands.operator import operator
from bot.commands.privacy import privacy
from bot.commands.queue import queue
from bot.commands.remix import remix
from bot.error_handler import answer_error
from bot.errors import Refused
from bot.storage.facts import Facts

if TYPE_CHECKING:
    from bot.client import Palimpsest

log = logging.getLogger(__name__)

COMMANDS = (img2img, remix, defaults, preferences, limits, moderation, privacy, queue, help_command, operator)
_REGISTERED_FACT = "registered_commands_sha256"


class Tree(app_commands.CommandTree["Palimpsest"]):
    """The command tree: it starts nothing while the bot is closing, and answers every error.

    With ``user_installs``, members who have installed the application to their own account can also use the commands
    for everyone in any server, group chat and direct message:
    https://docs.discord.com/developers/interactions/application-commands#contexts
    """

    def __init__(self, client: "Palimpsest", *, user_installs: bool) -> None:
        super().__init__(
            client,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=user_installs),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=user_installs),
        )
        for command in COMMANDS:
            self.add_command(command)

    async def interaction_check(self, interaction: discord.Interaction["Palimpsest"], /) -> bool:
        if interaction.client.is_closing and interaction.type is not discord.InteractionType.autocomplete:
            raise Refused("shutting_down")
        return True

    async def on_error(
        self, interaction: discord.Interaction["Palimpsest"], error: app_commands.AppCommandError, /
    ) -> None:
        await answer_error(interaction, error)

    async def register(self, facts: Facts) -> None:
        """Sync the commands with Discord if their definitions, or the application, have changed since the last sync.

        A command may support only those installations that the application supports:
        https://docs.discord.com/developers/interactions/application-commands#installation-context
        """
        application = self.client.application
        if self.allowed_installs.user and (application is None or application.user_integration_config is None):
            log.warning("USER_INSTALLS has no effect: `python -m bot check` says what is missing")
            self.allowed_installs.user = self.allowed_contexts.private_channel = False
        definition: list[dict[str, Any]] = [command.to_dict(self) for command in self.get_commands()]
        text = json.dumps([self.client.application_id, definition], sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if await facts.get(_REGISTERED_FACT) != digest:
            await self.sync()
            await facts.set(_REGISTERED_FACT, digest)
            log.info("registered %d command(s)", len(definition))
