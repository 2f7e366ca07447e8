"""The message command **Remix**: start from any posted picture, with a form prefilled with how it was made."""

from dataclasses import replace

import discord
from discord import app_commands

from bot.commands.shared import client_of
from bot.components.order_modal import OrderModal
from bot.errors import Refused
from bot.orders.options import Options, Source
from bot.orders.origin import Origin
from bot.orders.proposals import limit_to_allowed, options_in_file, options_of_picture
from bot.orders.sources import source_with_owner


@app_commands.context_menu(name="Remix")
async def remix(interaction: discord.Interaction, message: discord.Message) -> None:
    client = client_of(interaction)
    source = await source_with_owner(client, client.jobs, message)
    if source is None:
        raise Refused("no_picture")
    origin = Origin.of_interaction(interaction)
    origin.require_can_answer()
    if message.author == client.user:  # one of the bot's own: it belongs to whoever requested it
        job = await client.desk.find_by_message(message.id, message.channel.id)
        if job is not None:  # the picture that it started from may be shown beside its own
            source = replace(source, parent=job, ignored_pictures=job.count - 1)
    client.screening.require_not_excluded(origin.requester_id, origin.guild_id, source.consent_ids)

    async def submitted(answer: discord.Interaction, options: Options, _: int) -> None:
        await client.admission.accept_interaction(answer, options, source)

    chosen = await _proposal(interaction, source)
    await client.forms.show(interaction, OrderModal("Remix", chosen, submitted, hides_nothing=True))


async def _proposal(interaction: discord.Interaction, source: Source) -> Options:
    """Return the options the picture was made with, as far as they are known and allowed here."""
    client = client_of(interaction)
    if source.parent is not None:
        made = options_of_picture(source.parent)
    else:
        made = await options_in_file(client.downloads, source.attachment_url or "")
    if made is None:
        return Options(prompt="")
    return limit_to_allowed(client.orders, client.shelf, Origin.of_interaction(interaction), made)
