"""``/img2img``: turns a picture and a prompt into a new picture, and tells its seed."""

from collections.abc import Callable, Coroutine
from typing import Any, cast

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from bot.commands.shared import (
    MAX_CHOICES,
    REPAINT_CHOICES,
    SAMPLER_CHOICES,
    Count,
    GuidanceScale,
    NegativePrompt,
    Prompt,
    Size,
    Steps,
    Strength,
    client_of,
    model_choices,
)
from bot.components.order_modal import OrderModal
from bot.errors import Refused
from bot.orders.options import Options
from bot.orders.origin import Origin
from bot.orders.sources import source_of
from generation.adapter_weights import MAX_ADAPTERS
from generation.errors import GenerationError, ModelUnavailable
from generation.requests import MAX_SEED, Repaint
from generation.strength_ladder import LADDER

# Refusals that other words or numbers, or a little patience, can resolve.
_MENDED_IN_A_FORM = (
    "cooldown",
    "direct_messages_closed",
    "direct_messages_paused",
    "direct_messages_refused",
    "direct_queue_full",
    "ladder_and_strength",
    "mask_and_all",
    "member_queue_full",
    "model_not_allowed",
    "past_limit",
    "past_limit_of_ladder",
    "queue_full",
    "server_queue_full",
    "size_too_large",
    "stopped_by_automod",
    "words_forbidden",
    "words_not_wanted",
    "words_sexual",
)


class Img2Img(app_commands.Command[Any, ..., None]):
    """The command; it hides the adapter options if the operator's catalog has no adapters."""

    def __init__(self, callback: Callable[..., Coroutine[Any, Any, None]]) -> None:
        super().__init__(name="img2img", description=str(callback.__doc__), callback=callback)

    def to_dict(self, tree: app_commands.CommandTree[Any]) -> dict[str, Any]:
        definition = super().to_dict(tree)
        if not tree.client.shelf.has_adapters:
            definition["options"] = [each for each in definition["options"] if not each["name"].startswith("adapter")]
        return definition


@Img2Img
@app_commands.describe(
    image="The picture to start from (PNG, JPEG, GIF, WebP or AVIF)",
    prompt="What the new picture should show",
    negative_prompt="What it should not show",
    strength="How far to move away from your picture: 0.3 is subtle, 0.6 balanced, 0.9 strong",
    repaint="What to repaint: everything, or only the transparent parts, which keeps the rest exactly as it is",
    mask="A second picture of the same shape: white where yours is repainted, black where it stays",
    ladder="Instead of one strength: several pictures with the same seed, from 0.3 to 0.75, to choose from",
    guidance_scale="How closely to follow the prompt",
    steps="Denoising steps: more take longer and sometimes add detail",
    seed="The same seed gives the same picture again",
    count="How many pictures to paint, each with the next seed",
    size="Pixel budget: 512 means as many pixels as 512×512; your picture keeps its shape",
    model="The model to use",
    adapter="Adapters (LoRA) that change the model, as offered here: film, or film:0.8, ada:0.5",
    adapter_weight="The weight of every adapter that has none of its own",
    sampler="How the noise is removed; the model's usual sampler if left out",
)
@app_commands.choices(sampler=SAMPLER_CHOICES, repaint=REPAINT_CHOICES)
async def img2img(
    interaction: discord.Interaction,
    image: discord.Attachment,
    prompt: Prompt,
    negative_prompt: NegativePrompt | None = None,
    strength: Strength | None = None,
    ladder: bool = False,
    guidance_scale: GuidanceScale | None = None,
    steps: Steps | None = None,
    seed: Range[int, 0, MAX_SEED] | None = None,
    count: Count | None = None,
    size: Size | None = None,
    model: str | None = None,
    sampler: str | None = None,
    repaint: str | None = None,
    mask: discord.Attachment | None = None,
    adapter: str | None = None,
    adapter_weight: Range[float, 0.0, 2.0] | None = None,
) -> None:
    """Paint a new picture over yours, guided by a prompt"""
    options = Options(
        prompt=prompt,
        negative_prompt=negative_prompt,
        strength=LADDER if ladder and strength is None else strength,
        guidance_scale=guidance_scale,
        num_inference_steps=steps,
        seed=seed,
        count=count,
        size=size,
        model=model,
        sampler=sampler,
        adapter=adapter,
        adapter_weight=adapter_weight,
        repaint=cast("Repaint | None", repaint) if mask is None else "mask",
    )
    admission, source = client_of(interaction).admission, source_of(image, mask)
    try:
        if ladder and strength is not None:
            raise Refused("ladder_and_strength")
        if mask is not None and repaint == "all":
            raise Refused("mask_and_all")
        await admission.accept_interaction(interaction, options, source)
    except (Refused, GenerationError) as error:
        if isinstance(error, Refused) and error.reason not in _MENDED_IN_A_FORM:
            raise

        async def submitted(answer: discord.Interaction, changed: Options, _: int) -> None:
            await admission.accept_interaction(answer, changed, source)

        # Discord keeps none of a failed command's input, not even the picture.
        await OrderModal("Try again", options, submitted).on_error(interaction, error)


@img2img.autocomplete("model")
async def complete_model(interaction: discord.Interaction, current: str) -> list[Choice[str]]:
    """Offer the models that can be used here."""
    orders = client_of(interaction).orders
    return model_choices(orders.models_for(Origin.of_interaction(interaction)), current)


@img2img.autocomplete("adapter")
async def complete_adapter(interaction: discord.Interaction, current: str) -> list[Choice[str]]:
    """Complete the last name of the list with adapters of the chosen model, or of the default model here."""
    client = client_of(interaction)
    chosen = getattr(interaction.namespace, "model", None)
    try:
        entry = client.shelf.find(chosen) if chosen else client.orders.model_for(Origin.of_interaction(interaction))
    except (ModelUnavailable, Refused):
        return []
    listed, comma, typed = current.rpartition(",")
    before = [part.strip() for part in listed.split(",")] if comma else []
    if len(before) >= MAX_ADAPTERS:
        return []
    named = {part.partition(":")[0] for part in before}
    return [
        Choice(name=", ".join((*before, each.title))[:100], value=value)
        for each in client.shelf.adapters(entry)
        if each.name not in named and typed.strip().lower() in f"{each.name} {each.title}".lower()
        if len(value := ", ".join((*before, each.name))) <= 100  # Discord's limit
    ][:MAX_CHOICES]
