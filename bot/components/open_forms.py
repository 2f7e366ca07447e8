"""The forms that members have open, and the input of refused ones."""

import discord

from bot.components.order_modal import OrderModal
from bot.errors import Refused

_MAX_KEPT = 100


class OpenForms:
    """The open forms, at most one per member.

    Discord does not report that a form was closed, so the bot would keep every form opened within a day. A member who
    opens another form has abandoned the previous one.
    """

    def __init__(self) -> None:
        self._open: dict[int, OrderModal] = {}
        self._refused: dict[int, OrderModal] = {}

    async def show(self, interaction: discord.Interaction, form: OrderModal) -> None:
        """Answer with a form, which replaces the member's previous one."""
        await interaction.response.send_modal(form)
        before = self._open.pop(interaction.user.id, None)
        if before is not None:
            before.stop()
        self._open = {member_id: each for member_id, each in self._open.items() if not each.is_finished()}
        self._open[interaction.user.id] = form

    def keep_refused(self, member_id: int, form: OrderModal) -> None:
        """Keep the input of a member's refused form until their next one, or until those of many others displace it."""
        self.forget(member_id)
        if len(self._refused) >= _MAX_KEPT:
            del self._refused[next(iter(self._refused))]
        self._refused[member_id] = form

    def forget(self, member_id: int) -> None:
        """Forget a member's input."""
        self._refused.pop(member_id, None)

    async def show_again(self, interaction: discord.Interaction, token: str) -> None:
        """Answer with a refused form, prefilled as submitted; raise Refused (``form_expired``) if it is gone."""
        form = self._refused.get(interaction.user.id)
        if form is None or form.token != token:
            raise Refused("form_expired")
        await self.show(interaction, form.as_typed())

    def is_awaited(self, custom_id: str) -> bool:
        """Return whether a form is open."""
        return any(form.custom_id == custom_id and not form.is_finished() for form in self._open.values())
