"""The message command **Remix**: any picture that somebody has posted, through a form."""

from dataclasses import replace

import discord
from discord import app_commands

from bot.commands.shared import client_of
from bot.components.order_modal import OrderModal
from bot.errors import Refused
from bot.orders.order_book import Options
from bot.orders.origin import Origin
from bot.orders.sources import source_in


@app_commands.context_menu(name="Remix")
@app_commands.guild_install()
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def remix(interaction: discord.Interaction, message: discord.Message) -> None:
    source = source_in(message)
    if source is None:
        raise Refused("no_picture")
    Origin.of_interaction(interaction).require_room_to_answer()
    client = client_of(interaction)
    if message.author == client.user:  # one of our own: it belongs to who asked for it
        job = await client.desk.find_by_message(message.id, message.channel.id)
        # Of one that nothing is kept of any more its text says for whom it is; nobody else is mentioned there.
        source = replace(source, parent=job, posted_by=next(iter(message.raw_mentions), None))
    client.screening.require_welcome(interaction.user.id, interaction.guild_id, source.asked_ids)

    async def submitted(answer: discord.Interaction, options: Options, _: int) -> None:
        await client.admission.take_interaction(answer, options, source)

    await client.forms.show(interaction, OrderModal("Remix", Options(prompt=""), submitted))
