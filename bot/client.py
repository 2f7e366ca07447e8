"""The Discord client: it wires everything together, starts and stops it, and contains no features itself."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from typing import Any

import aiohttp
import discord
from discord.webhook.async_ import async_context

from bot.commands.tree import Tree
from bot.components.job_buttons import BUTTONS, result_view, status_view
from bot.components.open_forms import OpenForms
from bot.discord_api.retries import RetryingWebhooks, make_retrying
from bot.events import Events
from bot.jobs.attachments import AttachmentDownloads
from bot.jobs.audience import Audience
from bot.jobs.delivery import Delivery
from bot.jobs.desk import JobDesk
from bot.jobs.estimates import Estimates
from bot.jobs.intake import Intake
from bot.jobs.janitor import Janitor
from bot.jobs.lifecycle import JobLifecycle
from bot.jobs.results import Results
from bot.jobs.shown_inputs import ShownInputs
from bot.jobs.status_messages import StatusMessages
from bot.messages.conversation import Conversation
from bot.model_shelf import ModelShelf
from bot.moderation.buttons import MOD_BUTTONS
from bot.moderation.mod_log import ModLog
from bot.monitoring.invalid_requests import Restraint
from bot.monitoring.metrics import Metrics
from bot.monitoring.traffic import DiscordTraffic
from bot.orders.admission import Admission
from bot.orders.allowances import Allowance, Allowances
from bot.orders.order_book import OrderBook
from bot.privacy.cards import Retention
from bot.privacy.deletion import DataDeletion
from bot.screening.screening import Screening
from bot.settings import Settings
from bot.storage.audit import Audit
from bot.storage.database import Database
from bot.storage.defaults import Defaults
from bot.storage.facts import Facts
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.policies import Policies
from bot.storage.remixing import Remixing
from bot.storage.reports import Reports
from bot.storage.role_limits import RoleLimits
from bot.storage.spool import Spool
from bot.storage.trouble import StorageTrouble
from generation.executors.base import Executor
from generation.images.decoder import ImageDecoder
from generation.models.catalog import Catalog
from generation.safety.checker import PictureChecker

log = logging.getLogger(__name__)

# No privileged intent: mentions, replies to the bot, direct messages and context menus come without one.
INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
_TOLD_TO_STOP_FACT = "told_to_stop"


class Palimpsest(Events):
    """The bot. Resources are opened beforehand and passed in, except for what needs the login."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        catalog: Catalog,
        decoder: ImageDecoder,
        checker: PictureChecker,
        executor: Executor,
        session: aiohttp.ClientSession,
        metrics: Metrics,
    ) -> None:
        # Voice is not used, so warnings about its missing libraries are noise.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        self.metrics = metrics
        self.traffic = DiscordTraffic(metrics)
        super().__init__(
            intents=INTENTS,
            http_trace=self.traffic.trace,
            allowed_mentions=discord.AllowedMentions.none(),  # a call that pings somebody says so itself
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
        )
        make_retrying(self.http)
        self.shelf = ModelShelf(catalog, default_model=settings.model, data_dir=settings.data_dir)
        self.defaults = Defaults(database)
        self.role_limits = RoleLimits(database)
        self.operator_allowance = Allowance(settings.cooldown_seconds, settings.daily_budget_seconds)
        self.forms = OpenForms()
        self.is_closing = False
        self._settings = settings
        self._facts = Facts(database)
        jobs = Jobs(database)
        spool = Spool(settings.spool_dir)
        self.policies = Policies(database)
        self.remixing = Remixing(database)
        self.reports = Reports(database)
        self.audit = Audit(database)
        self.mod_log = ModLog(self, self.policies, self.audit)
        self.screening = Screening(
            checker,
            self.policies,
            self.remixing,
            jobs,
            self.is_age_restricted,
            self.mod_log.note,
            self.wait_until_ready,
        )
        self.jobs, self.spool = jobs, spool
        self.deletion = DataDeletion(self, database)
        self.retention = Retention(settings.input_retention_hours, settings.job_retention_days)
        self.downloads = AttachmentDownloads(session, settings.attachment_hosts)
        self.decoder, self.checker = decoder, checker
        self.shown_inputs = ShownInputs(jobs, spool, decoder, self.screening)
        estimates = Estimates(jobs)
        delivery = Delivery(self, jobs, spool, self.shelf, decoder, result_view)
        lifecycle = JobLifecycle(
            jobs=jobs,
            spool=spool,
            intake=Intake(self.downloads, decoder, spool, self.screening),
            audience=Audience(self),
            results=Results(spool, self.screening),
            executor=executor,
            status_messages=StatusMessages(self, status_view),
            delivery=delivery,
            estimates=estimates,
            admit_preview=self.screening.admit_preview if settings.previews else None,
            status_interval_seconds=settings.status_interval_seconds,
            max_running_per_member=settings.max_running_per_member,
            note_settled=metrics.settled,
            restraint=lambda: metrics.recent_invalid_requests.restraint,
        )
        self.desk = JobDesk(lifecycle, jobs=jobs, spool=spool, delivery=delivery)
        operator = {
            "model": settings.model,
            "max_count": settings.max_count,
            "strength_schedule": settings.strength_schedule,
        }
        self.orders = OrderBook(self.shelf, self.defaults, operator)
        self.admission = Admission(
            self.desk,
            self.orders,
            Allowances(jobs, self.role_limits, estimates, self.operator_allowance),
            self.screening,
            status_view=status_view,
            user_installs=settings.user_installs,
            max_waiting=settings.max_waiting,
            max_waiting_per_server=settings.max_waiting_per_server,
            max_waiting_in_direct_messages=settings.max_waiting_in_direct_messages,
            max_waiting_per_member=settings.max_waiting_per_member,
        )
        self._janitor = Janitor(
            jobs,
            spool,
            input_retention_hours=settings.input_retention_hours,
            job_retention_days=settings.job_retention_days,
            max_bytes=settings.spool_max_bytes,
            sweep_more=self.deletion.sweep,
        )
        self._sweeping: asyncio.Task[None] | None = None
        self.conversation = Conversation(self)
        self.tree = Tree(self, user_installs=settings.user_installs)

    async def setup_hook(self) -> None:
        """Register buttons and commands and resume open jobs, after the login and before the gateway connects."""
        assert self.application_id is not None, "it is known after the login"
        async_context.set(RetryingWebhooks(self.application_id))  # inherited by every task started from here
        self.add_dynamic_items(*BUTTONS, *MOD_BUTTONS)
        await self.load_decisions()
        await self.shelf.refresh()
        await self.tree.register(self._facts)
        was_told = await self._facts.get(_TOLD_TO_STOP_FACT) == "yes"
        await self._facts.set(_TOLD_TO_STOP_FACT, "no")
        self.desk.start()
        await self.desk.resume(bot_died=not was_told)
        self._sweeping = asyncio.create_task(self._janitor.run(), name="janitor")

    def obstacles(self) -> list[str]:
        """Return the reasons why no request would be accepted and generated now; an empty list if there are none."""
        states = {
            "not connected to Discord": not self.is_connected,
            "closing": self.is_closing,
            "the queue is not served": not self.desk.is_serving,
            "paused by the operator": self.desk.is_paused,
            "draining": self.admission.is_draining,
            "refused by Discord too often": self.metrics.recent_invalid_requests.restraint is Restraint.SILENT,
        }
        reasons = [reason for reason, holds in states.items() if holds]
        if (resting := self.desk.resting) is not None:
            until = datetime.fromtimestamp(resting.until, UTC)
            reasons.append(f"resting after failures of the generation process, next try at {until:%H:%M:%S} UTC")
        return reasons

    def open_jobs(self) -> tuple[list[Job], list[Job]]:
        """Return the running and the waiting jobs."""
        running, waiting = self.desk.snapshot()
        return running, [job for job, _ in waiting]

    async def load_decisions(self) -> None:
        """Load what members and moderators have set."""
        for decisions in (self.defaults, self.role_limits, self.policies, self.remixing):
            await decisions.load()

    def is_age_restricted(self, guild_id: int | None, channel_id: int) -> bool:
        """Return whether a channel, or a thread's parent, is age-restricted; False if it is unknown."""
        channel = None if guild_id is None else self.get_channel(channel_id)
        if channel is None or isinstance(channel, discord.CategoryChannel | discord.abc.PrivateChannel):
            return False
        return channel.is_nsfw()

    def is_operator(self, user_id: int) -> bool:
        """Return whether a user owns the application or is in the owning team with the right to change it."""
        application = self.application
        if application is None:
            return False
        if application.team is not None:
            return any(member.id == user_id and _may_change(member) for member in application.team.members)
        return application.owner.id == user_id

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Drop events after the client has closed: the library's late "ready" event would then raise an error."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def close(self) -> None:
        """Stop accepting requests, finish or keep open jobs, then disconnect from Discord."""
        if self.is_closing:
            return
        self.is_closing = self.admission.is_closing = True
        # None before setup_hook is done: how the previous run ended is then still to be read, and must be kept.
        if self._sweeping is not None:
            # Without the fact the next start counts this shutdown as a crash, nothing worse.
            with contextlib.suppress(StorageTrouble):
                await self._facts.set(_TOLD_TO_STOP_FACT, "yes")
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        settings = self._settings
        await self.desk.close(settings.shutdown_grace_seconds, drains=settings.shutdown_queue == "drain")
        await self.mod_log.close()
        await super().close()


def _may_change(member: discord.TeamMember) -> bool:
    """Return whether a team member may change its applications: they have joined it and are not read-only."""
    return member.id == member.team.owner_id or (
        member.membership_state is discord.TeamMembershipState.accepted
        and member.role in (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)
    )
