"""Helpers shared by the commands: the bot behind an interaction, groups, ranges, choices, and ephemeral answers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from bot import replies
from bot.discord_api.answers import answer_privately
from bot.errors import Refused
from generation import requests
from generation.models.catalog import ModelEntry
from generation.samplers import SAMPLERS

if TYPE_CHECKING:
    from bot.client import Palimpsest

Prompt = Range[str, 1, requests.MAX_PROMPT_CHARACTERS]
NegativePrompt = Range[str, 0, requests.MAX_NEGATIVE_PROMPT_CHARACTERS]
Strength = Range[float, requests.MIN_STRENGTH, requests.MAX_STRENGTH]
GuidanceScale = Range[float, requests.MIN_GUIDANCE_SCALE, requests.MAX_GUIDANCE_SCALE]
Steps = Range[int, requests.MIN_STEPS, requests.MAX_STEPS]
Count = Range[int, requests.MIN_COUNT, requests.MAX_COUNT]
Size = Range[int, requests.MIN_SIZE, requests.MAX_SIZE]

MAX_CHOICES = 25  # Discord's limit for one list
SAMPLER_CHOICES = [Choice(name=sampler.title, value=name) for name, sampler in SAMPLERS.items()]
REPAINT_CHOICES = [
    Choice(name="everything", value="all"),
    Choice(name="only its transparent parts", value="transparent"),
]
_TO_SERVERS = app_commands.AppInstallationType(guild=True, user=False)


def client_of(interaction: discord.Interaction) -> "Palimpsest":
    """Return the bot that received an interaction."""
    return cast("Palimpsest", interaction.client)


def moderators_group(name: str, description: str) -> app_commands.Group:
    """Return a command group that Discord shows to moderators only; its commands check again."""
    return app_commands.Group(
        name=name,
        description=description,
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
        allowed_installs=_TO_SERVERS,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    )


def operators_group(name: str, description: str) -> app_commands.Group:
    """Return a command group for the operator, which Discord shows to administrators and in direct messages."""
    return app_commands.Group(
        name=name,
        description=description,
        default_permissions=discord.Permissions(administrator=True),
        allowed_installs=_TO_SERVERS,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
    )


def model_choices(entries: Iterable[ModelEntry], typed: str) -> list[Choice[str]]:
    """Return the models that match the typed text, as autocomplete choices."""
    return [
        Choice(name=f"{entry.name} · {entry.title}"[:100], value=entry.name)
        for entry in entries
        if typed.lower() in f"{entry.name} {entry.title}".lower()
    ][:MAX_CHOICES]


def given_options(**values: Any) -> dict[str, Any]:
    """Return the options that were given; raise Refused (``nothing_to_set``) if there are none."""
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise Refused("nothing_to_set")
    return given


async def send_ephemeral(interaction: discord.Interaction, text: str) -> None:
    """Answer with an ephemeral message; text that is too long for one is cut."""
    await answer_privately(interaction, replies.fitting(text))
