"""The form behind Remix, Edit and Use as input: prompt, strength, seed, and all other options by name."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import discord

from bot import replies
from bot.components.dynamic_button import DynamicButton
from bot.error_handler import answer_error
from bot.errors import Refused
from bot.orders.free_text import format_negative_prompt, parse_text
from bot.orders.options import Options, changed
from generation import requests
from generation.adapter_weights import NO_ADAPTER, read_adapters
from generation.strength_ladder import LADDER
from generation.units import plain_number

if TYPE_CHECKING:
    from bot.client import Palimpsest

_OPEN_SECONDS = 24 * 3600
_MAX_OPTIONS_CHARACTERS = 1_000  # model and adapter names, which the operator chooses

Submitted = Callable[[discord.Interaction, Options, int], Awaitable[None]]


class OrderModal(discord.ui.Modal):
    """A form for a prompt and its numbers.

    ``chosen`` prefills the form. Options in it that the form does not show (model, sampler …) are kept. A form that
    ``hides_nothing`` shows them too, since the member has not chosen them, and drops those that the member removes.
    With ``pictures`` > 1 the form also asks which one to start from; ``submitted`` gets its index, counted from 0.
    The form says so if the model that a picture was ``made_with`` is not the one chosen.
    """

    def __init__(
        self,
        title: str,
        chosen: Options,
        submitted: Submitted,
        *,
        pictures: int = 1,
        hides_nothing: bool = False,
        made_with: str | None = None,
    ) -> None:
        self.token = secrets.token_hex(8)
        super().__init__(title=title, timeout=_OPEN_SECONDS, custom_id=f"order:{self.token}")
        self._pictures = pictures
        self._chosen = chosen
        self._hides_nothing = hides_nothing
        self._made_with = made_with
        self._submitted = submitted
        self._prompt = discord.ui.TextInput[Any](
            style=discord.TextStyle.paragraph,
            max_length=requests.MAX_PROMPT_CHARACTERS,
            default=chosen.prompt or None,
            placeholder="a fox in the snow",
            custom_id="prompt",
        )
        self._strength = discord.ui.TextInput[Any](
            required=False,
            max_length=10,
            default=_strength_of(chosen),
            placeholder="0.3 or subtle · 0.6 or balanced · 0.9 or strong · ladder",
            custom_id="strength",
        )
        self._seed = discord.ui.TextInput[Any](
            required=False,
            max_length=10,
            default=None if chosen.seed is None else str(chosen.seed),
            placeholder="random if left empty",
            custom_id="seed",
        )
        self._more = discord.ui.TextInput[Any](
            # A single line would show only part of it.
            style=discord.TextStyle.paragraph if hides_nothing else discord.TextStyle.short,
            required=False,
            max_length=requests.MAX_NEGATIVE_PROMPT_CHARACTERS + _MAX_OPTIONS_CHARACTERS,
            default=_more_of(chosen, hides_nothing=hides_nothing) or None,
            placeholder="steps 20, guidance 4, count 2, negative: blurry",
            custom_id="more",
        )
        self.add_item(discord.ui.Label(text="Prompt", component=self._prompt))
        self.add_item(discord.ui.Label(text="Strength", component=self._strength))
        self.add_item(discord.ui.Label(text="Seed", component=self._seed))
        about = "Other options, by name"
        if made_with is not None and made_with != chosen.model:
            about = replies.model_gone(made_with)
        self.add_item(discord.ui.Label(text="More", description=about, component=self._more))
        self._which: discord.ui.Select[Any] | None = None
        if pictures > 1:
            choices = [
                discord.SelectOption(label=f"Picture {n}", value=str(n), default=n == 1) for n in range(1, pictures + 1)
            ]
            self._which = discord.ui.Select(options=choices, custom_id="picture")
            self.add_item(discord.ui.Label(text="Start from", component=self._which))

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        numbers = " ".join(
            _one_option(name, text.value)
            for name, text in (("strength", self._strength), ("seed", self._seed))
            if text.value.strip()
        )
        models = cast("Palimpsest", interaction.client).shelf.names
        said = parse_text(f"{numbers} {self._more.value}".strip(), models=models)
        if said.options.prompt or said.again or said.help or said.seed:
            raise Refused("not_an_option", text=(said.options.prompt or self._more.value.strip())[:80])
        is_for_other_parts = (said.options.repaint or "all") != (self._chosen.repaint or "all")
        if is_for_other_parts and said.options.strength == self._chosen.strength != LADDER:
            said = replace(said, options=replace(said.options, strength=None))  # nobody typed it (see ``changed``)
        hidden = Options(prompt="") if self._hides_nothing else self._chosen
        kept = Options(
            prompt=self._prompt.value,
            # A negative prompt removed from the form is unwanted; if there was none, the member's preference applies.
            negative_prompt=None if self._chosen.negative_prompt is None else "",
            size=hidden.size,
            model=hidden.model,
            sampler=hidden.sampler,
            strength_schedule=hidden.strength_schedule,
            adapter=hidden.adapter,
            adapter_weight=hidden.adapter_weight,
        )
        if self._chosen.strength == said.options.strength == LADDER:  # keep the number of rungs
            kept = replace(kept, strength=LADDER, count=self._chosen.count)
        options = changed(kept, said.options)
        picture = int(self._which.values[0]) - 1 if self._which is not None and self._which.values else 0
        await self._submitted(interaction, options, picture)

    async def on_error(self, interaction: discord.Interaction, error: Exception, /) -> None:
        cast("Palimpsest", interaction.client).forms.keep_refused(interaction.user.id, self)
        view = discord.ui.View(timeout=None)
        view.add_item(BackToFormButton(self.token))
        await answer_error(interaction, error, view=view)

    def as_typed(self) -> "OrderModal":
        """Return a new form, prefilled with what was submitted."""
        form = OrderModal(
            self.title,
            self._chosen,
            self._submitted,
            pictures=self._pictures,
            hides_nothing=self._hides_nothing,
            made_with=self._made_with,
        )
        for name in ("_prompt", "_strength", "_seed", "_more"):
            getattr(form, name).default = getattr(self, name).value or None
        if form._which is not None and self._which is not None:
            for option in form._which.options:
                option.default = option.value in self._which.values
        return form


class BackToFormButton(DynamicButton, template=r"form:(?P<key>[0-9a-f]{16})"):
    """Reopens a refused form with everything that was typed into it; its key is the form's token."""

    label, emoji, verb, style = "Back to the form", "✏️", "form", discord.ButtonStyle.primary

    async def press(self, interaction: "discord.Interaction[Palimpsest]") -> None:
        await interaction.client.forms.show_again(interaction, self.key)


def _one_option(name: str, typed: str) -> str:
    """Return the input of a single-value field as one ``name=value`` option, even if it has spaces ("70 %").

    Raises Refused (``not_understood``, ``strength_not_understood``) with the input if it is not a single value.
    """
    option = f"{name}={''.join(typed.split())}"
    try:
        is_one = not parse_text(option).options.prompt
    except Refused as error:
        raise Refused(error.reason, **{**error.data, "option": name, "value": typed.strip()}) from error
    if not is_one:
        raise Refused("strength_not_understood" if name == "strength" else "not_understood", option=name, value=typed)
    return option


def _strength_of(chosen: Options) -> str | None:
    if chosen.strength in (None, LADDER):
        return chosen.strength
    return plain_number(chosen.strength)


def _more_of(chosen: Options, *, hides_nothing: bool) -> str:
    """Format the chosen options as text that the parser understands again."""
    numbers = (
        ("guidance", chosen.guidance_scale),
        ("steps", chosen.num_inference_steps),
        ("count", None if chosen.strength == LADDER else chosen.count),
        ("size", chosen.size),
    )
    parts = [f"{name} {value:g}" for name, value in numbers if value is not None]
    if hides_nothing:
        names = [("model", chosen.model), ("sampler", chosen.sampler)]
        for name, weight in read_adapters(chosen.adapter or NO_ADAPTER, chosen.adapter_weight):
            names.append(("adapter", name if weight is None else f"{name}:{round(weight, 3):g}"))
        parts += [f"{name}: {value}" for name, value in names if value]
    if chosen.repaint is not None:
        parts.append(f"repaint: {chosen.repaint}")
    if chosen.negative_prompt:
        parts.append(format_negative_prompt(chosen.negative_prompt))
    return ", ".join(parts)
