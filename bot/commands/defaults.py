"""``/defaults`` for moderators and ``/preferences`` for everyone: the values that apply when nobody chooses one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from bot import replies
from bot.commands.shared import (
    SAMPLER_CHOICES,
    Count,
    GuidanceScale,
    Size,
    Steps,
    Strength,
    client_of,
    given_options,
    model_choices,
    moderators_group,
    send_ephemeral,
)
from bot.discord_api.permissions import require_moderator
from bot.errors import Refused
from bot.orders.layers import DEFAULT_NAMES, LIMIT_NAMES, MEMBER_NAMES, NUMBERS, Layers
from bot.orders.origin import Origin
from bot.orders.tables import setting_name, settings_table
from bot.storage.defaults import Layer
from generation import requests
from generation.errors import ModelUnavailable

if TYPE_CHECKING:
    from bot.client import Palimpsest

# At least one character: `reset` removes it.
OwnNegativePrompt = Range[str, 1, requests.MAX_NEGATIVE_PROMPT_CHARACTERS]

_WHERE = [
    Choice(name="this channel", value=Layer.CHANNEL.value),
    Choice(name="the whole server", value=Layer.SERVER.value),
]
_EVERY_NAME = [Choice(name=setting_name(name), value=name) for name in (*DEFAULT_NAMES, *LIMIT_NAMES)]
_OWN_NAMES = [Choice(name=setting_name(name), value=name) for name in MEMBER_NAMES]

defaults = moderators_group("defaults", "Default settings and limits for this server and its channels")
preferences = app_commands.Group(name="preferences", description="Your own default settings, wherever you use me")


@defaults.command(name="show")
async def defaults_show(interaction: discord.Interaction) -> None:
    """Show the settings for this channel and where they come from"""
    require_moderator(interaction)
    await _show(interaction, with_member=False)


@defaults.command(name="set")
@app_commands.describe(
    where="For this channel or for the whole server",
    strength="Default strength",
    max_strength="The highest strength that members may choose",
    guidance_scale="Default guidance",
    max_guidance_scale="The highest guidance that members may choose",
    steps="Default number of steps",
    max_steps="The most steps that members may choose",
    count="Default number of pictures",
    max_count="The most pictures that members may choose",
    model="Default model",
    models="The models that members may choose, by name, separated by commas",
)
@app_commands.choices(where=_WHERE)
async def defaults_set(
    interaction: discord.Interaction,
    where: str,
    strength: Strength | None = None,
    max_strength: Strength | None = None,
    guidance_scale: GuidanceScale | None = None,
    max_guidance_scale: GuidanceScale | None = None,
    steps: Steps | None = None,
    max_steps: Steps | None = None,
    count: Count | None = None,
    max_count: Count | None = None,
    model: str | None = None,
    models: str | None = None,
) -> None:
    """Set defaults and limits"""
    require_moderator(interaction)
    client = client_of(interaction)
    layer, owner_id = _place(interaction, where)
    values = given_options(
        strength=strength,
        max_strength=max_strength,
        guidance_scale=guidance_scale,
        max_guidance_scale=max_guidance_scale,
        num_inference_steps=steps,
        max_num_inference_steps=max_steps,
        count=count,
        max_count=max_count,
        model=model,
        models=_names(client, models),
    )
    if model is not None:
        client.shelf.require(model)
    together = {**client.defaults.of(layer, owner_id), **values}
    for name in NUMBERS:
        limit = together.get(f"max_{name}")
        if limit is not None and name in values and values[name] > limit:
            raise Refused("default_past_limit", name=name, limit=limit)
    await client.defaults.set(layer, owner_id, values)
    await _write_audit_entry(interaction, "defaults_set", layer, _words(values))
    await _show(interaction, with_member=False)


@defaults.command(name="reset")
@app_commands.describe(
    where="For this channel or for the whole server", name="Which one to reset; everything if left out"
)
@app_commands.choices(where=_WHERE, name=_EVERY_NAME)
async def defaults_reset(interaction: discord.Interaction, where: str, name: str | None = None) -> None:
    """Reset defaults and limits"""
    require_moderator(interaction)
    layer, owner_id = _place(interaction, where)
    await client_of(interaction).defaults.reset(layer, owner_id, name)
    await _write_audit_entry(interaction, "defaults_reset", layer, "all" if name is None else setting_name(name))
    await _show(interaction, with_member=False)


@preferences.command(name="show")
async def preferences_show(interaction: discord.Interaction) -> None:
    """Show your settings here and where they come from"""
    await _show(interaction, with_member=True)


@preferences.command(name="set")
@app_commands.describe(
    strength="Your default strength",
    guidance_scale="Your default guidance",
    steps="Your default number of steps",
    count="Your default number of pictures",
    model="Your default model",
    negative_prompt="What your pictures should not show",
    size="Your default size, if the model can paint that large: 512 means as many pixels as 512×512",
    sampler="Your default sampler, if the model lets you choose one",
)
@app_commands.choices(sampler=SAMPLER_CHOICES)
async def preferences_set(
    interaction: discord.Interaction,
    strength: Strength | None = None,
    guidance_scale: GuidanceScale | None = None,
    steps: Steps | None = None,
    count: Count | None = None,
    model: str | None = None,
    negative_prompt: OwnNegativePrompt | None = None,
    size: Size | None = None,
    sampler: str | None = None,
) -> None:
    """Set your own default settings"""
    client = client_of(interaction)
    values = given_options(
        strength=strength,
        guidance_scale=guidance_scale,
        num_inference_steps=steps,
        count=count,
        model=model,
        negative_prompt=(negative_prompt or "").strip() or None,
        size=size,
        sampler=sampler,
    )
    if model is not None:
        client.shelf.require(model)
    await client.defaults.set(Layer.MEMBER, interaction.user.id, values)
    await _show(interaction, with_member=True)


@preferences.command(name="reset")
@app_commands.describe(name="Which one to reset; everything if left out")
@app_commands.choices(name=_OWN_NAMES)
async def preferences_reset(interaction: discord.Interaction, name: str | None = None) -> None:
    """Reset your own default settings"""
    await client_of(interaction).defaults.reset(Layer.MEMBER, interaction.user.id, name)
    await _show(interaction, with_member=True)


@defaults_set.autocomplete("model")
@preferences_set.autocomplete("model")
async def complete_model(interaction: discord.Interaction, current: str) -> list[Choice[str]]:
    """Offer the models that can be used here."""
    return model_choices(client_of(interaction).shelf.usable(), current)


def _place(interaction: discord.Interaction, where: str) -> tuple[Layer, int]:
    origin = Origin.of_interaction(interaction)
    assert origin.guild_id is not None
    assert origin.settings_channel_id is not None
    layer = Layer(where)
    return layer, origin.settings_channel_id if layer is Layer.CHANNEL else origin.guild_id


async def _write_audit_entry(interaction: discord.Interaction, action: str, layer: Layer, what: str) -> None:
    """Record a moderator's change in the server's audit trail."""
    assert interaction.guild_id is not None, "moderators are in a server"
    channel = interaction.channel.parent if isinstance(interaction.channel, discord.Thread) else interaction.channel
    where = f"#{getattr(channel, 'name', '')}" if layer is Layer.CHANNEL else "the whole server"
    detail = f"{where}: {what}"
    await client_of(interaction).mod_log.write(interaction.guild_id, interaction.user.id, action, detail=detail)


def _words(values: Mapping[str, Any]) -> str:
    shown = {name: ", ".join(value) if isinstance(value, list) else value for name, value in values.items()}
    return ", ".join(f"{setting_name(name)} {value}" for name, value in shown.items())


def _names(client: "Palimpsest", models: str | None) -> list[str] | None:
    if models is None:
        return None
    names = [name.strip() for name in models.split(",") if name.strip()]
    for name in names:
        client.shelf.find(name)
    if not names:
        raise Refused("nothing_to_set")
    return names


async def _show(interaction: discord.Interaction, *, with_member: bool) -> None:
    """Show every value and the layer it comes from, visible to this person only."""
    orders = client_of(interaction).orders
    origin = Origin.of_interaction(interaction)
    layers = orders.layers(origin)
    if not with_member:
        layers = Layers([(layer, values) for layer, values in layers.layers if layer is not Layer.MEMBER])
    problem = None
    try:
        layers = orders.with_model(layers, orders.model_in(layers).name)
    except (ModelUnavailable, Refused) as error:
        # The change itself has been saved; whoever made it is told what it leads to.
        problem = replies.error_sentence(error)
    await send_ephemeral(interaction, settings_table(layers, problem))
