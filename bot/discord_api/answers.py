"""Private answers to interactions, at whatever point the interaction is."""

from typing import Any

import discord


async def answer_privately(interaction: discord.Interaction, text: str, *, view: discord.ui.View | None = None) -> None:
    """Answer with a message that only the person sees; raise what the library raises if Discord refuses it.

    After a deferral the message that says "thinking…" is edited. A followup would have the same effect, but Discord has
    deprecated that, and repeated after a broken connection it would become a second message:
    https://docs.discord.com/developers/interactions/receiving-and-responding#create-followup-message
    """
    response = interaction.response
    below: dict[str, Any] = {} if view is None else {"view": view}
    if response.type is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(content=text, **below)
    elif response.is_done():
        await interaction.followup.send(text, ephemeral=True, **below)
    else:
        await response.send_message(text, ephemeral=True, **below)
