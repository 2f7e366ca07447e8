"""The steps of a job's life: input prepared, queued, generated, delivered; each is stored before it is announced."""

import contextlib
from collections.abc import Callable

from bot.display.status import AdmitPreview, StatusBoard
from bot.errors import JobFailed, Refused
from bot.jobs.audience import Audience
from bot.jobs.delivery import Delivery
from bot.jobs.endings import Endings, as_ended
from bot.jobs.estimates import Estimates
from bot.jobs.intake import Intake
from bot.jobs.notifier import Notifier
from bot.jobs.open_jobs import OpenJobs
from bot.jobs.progress import ProgressTracker
from bot.jobs.results import Results
from bot.jobs.status_messages import StatusMessages
from bot.monitoring.invalid_requests import Restraint
from bot.storage.job import Job, JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble, retry_on_storage_trouble
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.executors.base import Executor
from generation.requests import Img2ImgRequest
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService

DEATHS_UNTIL_ALONE = 3  # of the bot, not of the executor


class JobLifecycle:
    """Takes every job from one step to the next.

    Everything that must not be lost is in ``jobs`` and ``spool`` before anybody is told of it.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        spool: Spool,
        intake: Intake,
        audience: Audience,
        results: Results,
        executor: Executor,
        status_messages: StatusMessages,
        delivery: Delivery,
        estimates: Estimates,
        admit_preview: AdmitPreview | None,
        status_interval_seconds: float,
        max_running_per_member: int | None,
        note_settled: Callable[[Job], None],
        restraint: Callable[[], Restraint],
    ) -> None:
        self._jobs = jobs
        self._spool = spool
        self._intake = intake
        self._audience = audience
        self._results = results
        self._delivery = delivery
        self._estimates = estimates
        self.service = GenerationService(
            executor,
            load_request=self._load_request,
            report=self._report,
            max_running_per_owner=max_running_per_member,
            note_rest=lambda: self.progress.show_rest(),
            note_attempt=self._note_attempt,
        )
        self.open = OpenJobs(self._step_failed)
        board = StatusBoard(
            status_messages.edit,
            deleted=lambda message_id: self.endings.in_background(self.endings.message_deleted(message_id)),
            admit_preview=admit_preview,
            restraint=restraint,
            interval_seconds=status_interval_seconds,
        )
        self.progress = ProgressTracker(self.open, self.service, board, estimates)
        self.endings = Endings(
            jobs=jobs,
            spool=spool,
            delivery=delivery,
            service=self.service,
            open_jobs=self.open,
            progress=self.progress,
            note_settled=note_settled,
        )
        self.notifier = Notifier(
            jobs=jobs,
            status_messages=status_messages,
            open_jobs=self.open,
            endings=self.endings,
            prepare_input=self._prepare_input,
        )

    async def start_next_step(self, job: Job) -> None:
        """Start the next step of a job that was just accepted, or found open at startup."""
        # Without the measurements its time is guessed; the person has been told that the job goes on.
        with contextlib.suppress(StorageTrouble):
            await self._estimates.load(job.model)
        # No await from here on: admission has counted the job as arriving so far, and must not count it twice.
        self.open.remember(job)
        match job.state:
            case JobState.ACCEPTED:
                self.open.start_step(job, self._prepare_input(job))
            case JobState.QUEUED:
                self._submit(job)
            case JobState.RENDERED:
                self.open.start_step(job, self._deliver(job, may_be_there=True))

    async def _prepare_input(self, job: Job) -> None:
        """accepted → queued."""
        self.open.remember(job)
        await retry_on_storage_trouble(lambda: self._jobs.set_status_message(job.job_id, job.status_message_id))
        row = await retry_on_storage_trouble(lambda: self._jobs.get(job.job_id))
        if row is None or row.state.is_settled:  # cancelled while its requester was being told
            self.open.forget(job.job_id)
            await self.endings.show_end(as_ended(job, row))
            return
        try:
            decided = await self._intake.prepare_input(job)
        except JobFailed as failure:
            await self.endings.fail(job, failure.kind, **failure.data)
            return
        queued = await retry_on_storage_trouble(lambda: self._jobs.enqueue(job.job_id, **decided))
        if queued is None:  # cancelled in the meantime
            await self._spool.delete(job.job_id)
            return
        self.open.remember(queued)
        self._submit(queued)
        self.progress.show_queue()

    def _submit(self, job: Job) -> None:
        self.service.submit(
            Ticket(
                job_id=job.job_id,
                owner=str(job.requester_id),
                group=str(job.guild_id or job.channel_id),
                model=job.model,
                attempt=max(1, job.attempt),
                cost=self._estimates.cost(job),
                runs_alone=job.unclean_deaths >= DEATHS_UNTIL_ALONE,
            )
        )

    def _cost(self, ticket: Ticket) -> float:
        """Return the expected cost of a waiting job, by the current estimates."""
        job = self.open.get(ticket.job_id)
        return ticket.cost if job is None else self._estimates.cost(job)

    async def _load_request(self, ticket: Ticket) -> Img2ImgRequest | None:
        """Build the frozen request from the row, now that a slot is free."""
        job = self.open.get(ticket.job_id)
        if job is None:
            return None
        if (reason := await self._audience.missing(job)) is not None:
            await self.endings.expire(job, reason)
            return None
        try:
            self._audience.require_open(job)
            return await self._results.request_for(job)
        except FileNotFoundError:
            await self.endings.fail(job, "input_expired")
        except Refused as error:
            await self.endings.fail(job, error.reason, **error.data)
        return None

    async def _note_attempt(self, job_id: str, attempt: int) -> None:
        await retry_on_storage_trouble(lambda: self._jobs.note_attempt(job_id, attempt))
        if (job := self.open.get(job_id)) is not None:
            self.progress.show_loss(job)

    async def _report(self, event: Event) -> None:
        """Store what the generator reports, then show it."""
        match event:
            case Started(job_id=job_id, attempt=attempt, total_steps=total_steps):
                job = await retry_on_storage_trouble(lambda: self._jobs.begin(job_id, attempt))
                if job is None:
                    self.service.cancel(job_id)
                    return
                self.open.remember(job)
                self.progress.show_step(job, 0, total_steps)
                self.progress.show_queue()
            case Progress(job_id=job_id, step=step, total_steps=total_steps, preview=preview):
                if (job := self.open.get(job_id)) is not None:
                    self.progress.show_step(job, step, total_steps, preview)
            case Finished():
                await self._keep_result(event)
            case Failed(job_id=job_id, kind=kind, reference=reference, data=data):
                if (job := self.open.get(job_id)) is not None:
                    await self.endings.fail(job, kind, reference, **data)
            case Cancelled():
                pass  # whoever cancelled it has settled the job

    async def _keep_result(self, event: Finished) -> None:
        """running → rendered, then delivery without holding the slot; or failed if the result may not be shown."""
        asked = self.open.get(event.job_id)
        if asked is None:
            return
        try:
            pictures = await self._results.keep(asked, event.result)
        except Refused as error:
            self.service.record_cost(asked.job_id, event.result.seconds, self._cost)
            await self.endings.fail(asked, error.reason, **error.data)
            return
        job = await retry_on_storage_trouble(lambda: self._jobs.render(event.job_id, pictures, event.result.seconds))
        if job is None:
            await self._spool.delete(event.job_id)
            return
        self._estimates.learn(job)
        self.service.record_cost(job.job_id, event.result.seconds, self._cost)
        self.progress.forget(job.job_id)
        self.open.start_step(job, self._deliver(job, may_be_there=False))

    async def _deliver(self, job: Job, *, may_be_there: bool) -> None:
        """rendered → delivered."""
        if may_be_there and (reason := await self._audience.missing(job)) is not None:
            await self.endings.expire(job, reason)
            return
        try:
            message_id = await self._delivery.send(job, may_be_there=may_be_there)
        except FileNotFoundError:
            await self.endings.fail(job, "result_lost")
            return
        except Refused as error:
            await self.endings.fail(job, error.reason, **error.data)
            return
        delivered = None
        # A job cancelled while nothing can be stored is missing here, although its row does not say so yet.
        if job.job_id in self.open:
            delivered = await retry_on_storage_trouble(lambda: self._jobs.deliver(job.job_id, message_id))
        await self._spool.delete(job.job_id, keep=INPUT_FILENAME)
        if delivered is not None:
            await self.endings.settle(delivered)
            return
        row = await retry_on_storage_trouble(lambda: self._jobs.get(job.job_id))
        await self.endings.withdraw(as_ended(job, row), message_id)

    async def _step_failed(self, job: Job, reference: str) -> None:
        await self.endings.fail(job, FailureKind.INTERNAL, reference)
