"""A button that survives restarts, because everything it needs is in its custom_id."""

import re
from typing import TYPE_CHECKING, Any, Self, cast

import discord

from bot.error_handler import answer_error

if TYPE_CHECKING:
    from bot.client import Palimpsest


class DynamicButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template="button"):
    """A button whose custom_id is ``verb:key``; every subclass's template has a group called ``key``.

    The key is not trusted: what it refers to is looked up, and permissions are checked.
    """

    label: str
    style = discord.ButtonStyle.secondary
    emoji: str
    verb: str

    def __init__(self, key: str) -> None:
        custom_id = f"{self.verb}:{key}"
        super().__init__(discord.ui.Button(label=self.label, style=self.style, emoji=self.emoji, custom_id=custom_id))
        self.key = key

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(match["key"])

    async def callback(self, interaction: discord.Interaction) -> None:
        try:
            await self.press(cast("discord.Interaction[Palimpsest]", interaction))
        except Exception as error:  # buttons have no error handler of their own
            await answer_error(interaction, error)

    async def press(self, interaction: "discord.Interaction[Palimpsest]") -> None:
        """Perform the button's action."""
        raise TypeError(f"{type(self).__name__} does nothing")
