"""The message command **Remix**: any picture that somebody has posted, through a form."""

from dataclasses import replace

import discord
from discord import app_commands

from bot.commands.shared import client_of
from bot.components.order_modal import OrderModal
from bot.errors import Refused
from bot.orders.order_book import Options
from bot.orders.origin import Origin
from bot.orders.sources import owned_source_in


@app_commands.context_menu(name="Remix")
@app_commands.guild_install()
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def remix(interaction: discord.Interaction, message: discord.Message) -> None:
    client = client_of(interaction)
    source = await owned_source_in(client, client.jobs, message)
    if source is None:
        raise Refused("no_picture")
    Origin.of_interaction(interaction).require_room_to_answer()
    if message.author == client.user:  # one of our own: it belongs to who asked for it
        job = await client.desk.find_by_message(message.id, message.channel.id)
        source = replace(source, parent=job)
    client.screening.require_welcome(interaction.user.id, interaction.guild_id, source.asked_ids)

    async def submitted(answer: discord.Interaction, options: Options, _: int) -> None:
        await client.admission.take_interaction(answer, options, source)

    await client.forms.show(interaction, OrderModal("Remix", Options(prompt=""), submitted))
