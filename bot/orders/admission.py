"""Where a request becomes a job: quick checks, the acknowledgement, then the desk."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import discord

from bot.errors import Refused
from bot.jobs.desk import JobDesk
from bot.orders.allowances import Allowances
from bot.orders.closed_direct_messages import ClosedDirectMessages
from bot.orders.elsewhere import moved_to_direct_messages
from bot.orders.options import Options, Source
from bot.orders.order_book import OrderBook
from bot.orders.origin import Origin
from bot.screening.screening import Screening
from bot.storage.job import CancelReason, Job, JobState

# Sends the first message with its buttons to the person and returns its id.
Acknowledge = Callable[[str, discord.ui.View], Awaitable[int | None]]


class Admission:
    """Accepts requests. A refusal here is told to the requester only, and costs nobody anything.

    The first message already has the buttons of ``status_view``: in a busy channel the next edit may take a while, and
    a member who sent a request by mistake wants to cancel at once.
    """

    def __init__(
        self,
        desk: JobDesk,
        orders: OrderBook,
        allowances: Allowances,
        screening: Screening,
        *,
        status_view: Callable[[Job], discord.ui.View | None],
        user_installs: bool,
        max_waiting: int,
        max_waiting_per_server: int,
        max_waiting_in_direct_messages: int,
        max_waiting_per_member: int,
    ) -> None:
        self._desk = desk
        self._orders = orders
        self.allowances = allowances
        self._screening = screening
        self._status_view = status_view
        self._user_installs = user_installs
        self._max_waiting = max_waiting
        self._max_waiting_per_server = max_waiting_per_server
        self._max_waiting_in_direct_messages = max_waiting_in_direct_messages
        self._max_waiting_per_member = max_waiting_per_member
        self._arriving: list[Origin] = []  # admitted but without a row yet: a burst must not exceed the limits together
        self._closed = ClosedDirectMessages()
        self.is_draining = False
        self.is_closing = False

    async def accept(
        self,
        origin: Origin,
        options: Options,
        source: Source,
        acknowledge: Acknowledge,
        *,
        request_message_id: int | None = None,
        interaction_id: int | None = None,
        instead_of: Job | None = None,
    ) -> None:
        """Turn a request into a job, or raise an error that ``bot.replies`` has a sentence for.

        ``acknowledge`` sends the first message, which becomes the status message, and returns its id.
        ``request_message_id`` is the requester's message, ``interaction_id`` the request's interaction. The open job
        ``instead_of`` is cancelled once this one is accepted; a refusal leaves it unchanged.
        """
        if self.is_closing:
            raise Refused("shutting_down")
        if self.is_draining:
            raise Refused("draining")
        origin.require_can_answer()
        self._screening.require_not_excluded(origin.requester_id, origin.guild_id, source.consent_ids)
        if instead_of is None:
            self._require_room(origin)
        is_asking = any(other.requester_id == origin.requester_id for other in self._arriving)
        self._arriving.append(origin)
        try:
            await self._require_input(source)
            job = self._orders.order(origin, options, source)
            self._screening.require_allowed_prompt(job)
            await self.allowances.require(origin, is_asking=is_asking, instead_of=instead_of)
            job = replace(job, request_message_id=request_message_id, interaction_id=interaction_id)
            view = self._status_view(job) or discord.utils.MISSING
            await self._desk.accept(job, lambda text: acknowledge(text, view))
            if instead_of is not None:
                await self._desk.cancel(instead_of.job_id, CancelReason.REQUEST_EDITED)
        finally:
            self._arriving.remove(origin)

    async def accept_interaction(self, interaction: discord.Interaction, options: Options, source: Source) -> None:
        """Accept a request by command, button or modal; the public response is its status message.

        Where the bot is not, there can be none: the request moves to direct messages, if the operator allows that.
        """
        origin = Origin.of_interaction(interaction)
        if origin.is_elsewhere and not self._user_installs:
            raise Refused("not_in_server")
        if origin.is_elsewhere:
            async with moved_to_direct_messages(interaction, origin, self._closed) as (there, acknowledge_there):
                await self.accept(there, options, source, acknowledge_there, interaction_id=interaction.id)
            return

        async def acknowledge(text: str, view: discord.ui.View) -> int | None:
            return (await interaction.response.send_message(text, view=view)).message_id

        await self.accept(origin, options, source, acknowledge, interaction_id=interaction.id)

    async def _require_input(self, source: Source) -> None:
        """Raise Refused (``not_taken_yet``, ``input_expired``) if the source is another job's input and not stored.

        It may not have arrived yet, or may have been deleted already.
        """
        parent = source.parent
        if source.attachment_url is None and parent is not None and not await self._desk.has_input(parent):
            raise Refused("not_taken_yet" if parent.state is JobState.ACCEPTED else "input_expired")

    def _require_room(self, origin: Origin) -> None:
        """Raise Refused if too many jobs are open.

        The reasons are ``queue_full``, ``member_queue_full``, ``server_queue_full`` and ``direct_queue_full``. All
        direct messages together count like a server.
        """
        arriving = self._arriving
        if self._desk.open_jobs() + len(arriving) >= self._max_waiting:
            raise Refused("queue_full", max_waiting=self._max_waiting)
        of_member = sum(other.requester_id == origin.requester_id for other in arriving)
        if self._desk.open_jobs(origin.requester_id) + of_member >= self._max_waiting_per_member:
            raise Refused("member_queue_full", max_waiting=self._max_waiting_per_member)
        is_direct = origin.guild_id is None
        most = self._max_waiting_in_direct_messages if is_direct else self._max_waiting_per_server
        of_place = sum(other.guild_id == origin.guild_id for other in arriving)
        if self._desk.open_jobs_in(origin.guild_id) + of_place >= most:
            raise Refused("direct_queue_full" if is_direct else "server_queue_full", max_waiting=most)
