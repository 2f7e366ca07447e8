"""Discord's gateway events and their handlers."""

import asyncio
import logging

import discord

from bot.components.job_buttons import BUTTONS
from bot.components.open_forms import OpenForms
from bot.discord_api.readiness import EagerClient
from bot.error_handler import answer_error
from bot.errors import Refused
from bot.jobs.desk import JobDesk
from bot.messages.conversation import Conversation
from bot.moderation.buttons import MOD_BUTTONS
from bot.monitoring.metrics import Metrics
from bot.monitoring.traffic import DiscordTraffic

log = logging.getLogger(__name__)


class Events(EagerClient):
    """Passes every event to its handler; the library finds these methods by name."""

    desk: JobDesk
    conversation: Conversation
    forms: OpenForms
    metrics: Metrics
    traffic: DiscordTraffic
    is_connected = False

    async def on_ready(self) -> None:
        """Log that the bot is connected, and settle the jobs of servers it is no longer in."""
        self.is_connected = True
        self.metrics.connected(is_resumed=False)
        log.info("connected as %s to %d server(s)", self.user, len(self.guilds))
        await self.desk.reconcile_servers([guild.id for guild in self.guilds])

    async def on_resumed(self) -> None:
        """Note that a broken connection was resumed."""
        self.is_connected = True
        self.metrics.connected(is_resumed=True)

    async def on_disconnect(self) -> None:
        """Note that the connection broke."""
        self.is_connected = False

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Settle the jobs of a server that has removed the bot."""
        await self.desk.server_left(guild.id)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Settle the jobs of a deleted channel; the library reports each of its threads too."""
        await self.desk.channel_gone(channel.id)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Settle the jobs of a deleted thread."""
        await self.desk.channel_gone(payload.thread_id)

    async def on_message(self, message: discord.Message) -> None:
        """Handle a new message."""
        await self.conversation.handle(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Handle an edited message."""
        await self.conversation.handle_update(payload.message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Note an interaction's arrival, and answer it if no handler is left for it; other handlers answer the rest.

        That is a form from an earlier run, or a button from an earlier version or from another bot with this token.
        """
        self.traffic.arrived(interaction.id)
        if interaction.type is discord.InteractionType.component:
            custom_id = str((interaction.data or {}).get("custom_id"))
            known = (button.__discord_ui_compiled_template__ for button in (*BUTTONS, *MOD_BUTTONS))
            if not any(template.fullmatch(custom_id) for template in known):
                await answer_error(interaction, Refused("job_unknown"))
        if interaction.type is discord.InteractionType.modal_submit:
            assert interaction.data is not None
            if not self.forms.is_awaited(str(interaction.data.get("custom_id"))) and not interaction.response.is_done():
                await answer_error(interaction, Refused("form_expired"))

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Settle what depends on a deleted message."""
        await self.desk.message_deleted(payload.message_id, payload.channel_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Settle what depends on deleted messages."""
        deleted = (self.desk.message_deleted(message_id, payload.channel_id) for message_id in payload.message_ids)
        await asyncio.gather(*deleted)
