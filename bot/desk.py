"""The life of a job in the bot: taken in, promised, queued, generated, delivered, settled; a row before every word."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from bot.attachments import AttachmentDownloads
from bot.cards import Waiting
from bot.delivery import Delivery
from bot.errors import Refused
from bot.estimates import Estimates
from bot.lookout import Lookout
from bot.status import AdmitPreview, StatusBoard
from bot.storage.job import Job, JobState, StoredPicture
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from generation.errors import ExecutorError, ImageRefused
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.executors.base import Executor
from generation.images.decoder import ImageDecoder
from generation.queue import Ticket
from generation.references import current_job_id, new_reference
from generation.requests import Img2ImgRequest
from generation.sentences import failure_sentence
from generation.service import GenerationService
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

_DELIVERY_SECONDS = 2.0  # Discord gives an answer 3 s


class JobDesk:
    """Follow every job from its row to its end.

    All that must not be lost is in ``jobs`` and ``spool`` before anybody is told of it; what is in memory here can be
    rebuilt from them by ``resume``.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        spool: Spool,
        downloads: AttachmentDownloads,
        decoder: ImageDecoder,
        executor: Executor,
        delivery: Delivery,
        estimates: Estimates,
        admit_preview: AdmitPreview | None,
        max_running_per_member: int | None = None,
        note_settled: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self._jobs = jobs
        self._spool = spool
        self._downloads = downloads
        self._decoder = decoder
        self._delivery = delivery
        self._estimates = estimates
        self._note_settled = note_settled
        self._service = GenerationService(
            executor,
            load_request=self._load_request,
            report=self._report,
            max_running_per_owner=max_running_per_member,
        )
        self._open: dict[str, Job] = {}
        board = StatusBoard(delivery.edit_status, deleted=self._status_deleted, admit_preview=admit_preview)
        self._lookout = Lookout(self._open, self._service, board, estimates)
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._deletions: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None

    # What others ask of the desk

    def start(self) -> None:
        """Begin to generate."""
        self._serving = asyncio.create_task(self._service.run(), name="generation service")

    async def resume(self) -> None:
        """Take up every job that was open when the bot last ended; a running one keeps its attempt and its place."""
        for job in await self._jobs.unsettled():
            await self._estimates.load(job.model)
            if job.state is JobState.RUNNING:
                returned = await self._jobs.return_to_queue(job.job_id)
                assert returned is not None
                job = returned
            self._open[job.job_id] = job
            if job.state is JobState.ACCEPTED:
                self._spawn(job, self._bring_in(job))
            elif job.state is JobState.QUEUED:
                self._submit(job)
            else:
                self._spawn(job, self._deliver(job, may_be_there=True))
        self._lookout.show_queue()

    async def close(self, grace_seconds: float) -> None:
        """Let what runs end within ``grace_seconds``; the rows keep what does not."""
        unfinished = await self._service.close(grace_seconds)
        for job_id in unfinished:
            await self._jobs.return_to_queue(job_id)
        if self._serving is not None:
            self._serving.cancel()
        steps = list(self._steps.values())
        if steps:  # deliveries mostly: a few seconds save a search of the channel at the next start
            await asyncio.wait(steps, timeout=min(5.0, grace_seconds))
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)
        await self._lookout.close()
        await asyncio.gather(*self._deletions, return_exceptions=True)

    async def take(self, job: Job) -> None:
        """Write an acknowledged request down and bring its picture in; the rest happens by itself."""
        await self._jobs.accept(job)
        self._open[job.job_id] = job
        self._spawn(job, self._bring_in(job))

    async def find(self, job_id: str) -> Job | None:
        """Return a job by its id; one that is just being delivered, as it is after that."""
        await self._delivered(job_id)
        return self._open.get(job_id) or await self._jobs.get(job_id)

    async def find_by_message(self, message_id: int) -> Job | None:
        """Return the job whose result or status a message is."""
        await self._delivered(*self._open)
        return await self._jobs.by_message(message_id)

    async def message_deleted(self, message_id: int) -> None:
        """Settle what hangs on a message that somebody deleted: a wish taken back, or a result not wanted."""
        for job in list(self._open.values()):
            if message_id in (job.request_message_id, job.status_message_id):
                await self.cancel(job.job_id)
        job = await self._jobs.by_result_message(message_id)
        if job is not None:
            await self._jobs.set_result_message(job.job_id, None)
            await self._spool.delete(job.job_id)

    def pause(self) -> None:
        """Begin nothing new; what runs ends, what comes waits."""
        self._service.pause()
        self._lookout.show_queue()

    def unpause(self) -> None:
        """Go on after a pause."""
        self._service.resume()
        self._lookout.show_queue()

    @property
    def is_paused(self) -> bool:
        """Whether jobs wait although a slot is free."""
        return self._service.is_paused

    def snapshot(self) -> tuple[list[Job], list[tuple[Job, Waiting]]]:
        """Return what runs, and what waits in its order."""
        running = [self._open[job_id] for job_id in self._service.running_job_ids if job_id in self._open]
        return running, list(self._lookout.waiting())

    async def has_input(self, job: Job) -> bool:
        """Tell whether the picture that a job began with is still kept."""
        return await self._spool.exists(job.job_id, INPUT_FILENAME)

    def open_jobs(self, requester_id: int | None = None, *, guild_id: int | None = None) -> int:
        """Return how many jobs wait or run, in all, of one member or of one server."""
        return sum(
            requester_id in (None, job.requester_id) and guild_id in (None, job.guild_id) for job in self._open.values()
        )

    async def cancel(self, job_id: str) -> bool:
        """Give a job up; return False if it was already over or about to be delivered."""
        is_running = self._service.is_running(job_id)
        self._service.cancel(job_id)
        if is_running:
            return True
        job = await self._jobs.cancel(job_id)
        if job is None:
            return False
        await self._settle(job)
        return True

    async def delete(self, job_id: str) -> None:
        """Delete a result's message and every picture kept for it."""
        job = await self.find(job_id)
        if job is not None:
            await self._delivery.delete(job)
            await self._jobs.set_result_message(job_id, None)
            await self._spool.delete(job_id)

    # The steps of a job's life

    async def _bring_in(self, job: Job) -> None:
        """accepted → queued."""
        try:
            if job.attachment_url is not None:
                image = await self._decoder.decode(await self._downloads.fetch(job.attachment_url))
                data, input_sha256 = image.data, image.sha256
            else:
                assert job.parent_job_id is not None, "a job begins with a download or with another job's input"
                data = await self._spool.read(job.parent_job_id, INPUT_FILENAME)
                input_sha256 = job.input_sha256 or ""
            await self._spool.write(job.job_id, INPUT_FILENAME, data)
        except FileNotFoundError:
            await self._fail(job, "input_expired")
            return
        except OSError as error:
            log.error("the picture of job %s could not be kept: %s", job.job_id, error.strerror)
            await self._fail(job, "storage_trouble")
            return
        except Refused as error:
            await self._fail(job, error.reason, **error.data)
            return
        except ImageRefused as error:
            await self._fail(job, FailureKind.IMAGE_REFUSED, reason=error.reason, **error.data)
            return
        except ExecutorError as error:
            log.error("the picture of job %s could not be decoded: %s", job.job_id, error)
            await self._fail(job, FailureKind.EXECUTOR_UNAVAILABLE)
            return
        await self._estimates.load(job.model)
        promised = await self._jobs.promise(job.job_id, input_sha256)
        if promised is None:  # cancelled meanwhile
            await self._spool.delete(job.job_id)
            return
        self._open[job.job_id] = promised
        self._submit(promised)
        self._lookout.show_queue()

    def _submit(self, job: Job) -> None:
        self._service.submit(
            Ticket(
                job_id=job.job_id,
                owner=str(job.requester_id),
                group=str(job.guild_id or job.channel_id),
                attempt=max(1, job.attempt),
                cost=self._estimates.cost(job),
            )
        )

    def _cost(self, ticket: Ticket) -> float:
        """Return what is expected of a job that waits, by what is known now."""
        job = self._open.get(ticket.job_id)
        return ticket.cost if job is None else self._estimates.cost(job)

    async def _load_request(self, ticket: Ticket) -> Img2ImgRequest | None:
        """Make the frozen request from the row, now that a slot is free."""
        job = self._open.get(ticket.job_id)
        if job is None:
            return None
        try:
            image = await self._spool.read(job.job_id, INPUT_FILENAME)
        except FileNotFoundError:
            await self._fail(job, "input_expired")
            return None
        return Img2ImgRequest(
            image=image,
            input_sha256=job.input_sha256 or "",
            prompt=job.prompt,
            negative_prompt=job.negative_prompt,
            strength=job.strength,
            guidance_scale=job.guidance_scale,
            num_inference_steps=job.num_inference_steps,
            seed=job.seed,
            count=job.count,
            max_pixels=job.max_pixels,
            model=job.model,
            max_result_bytes=job.max_result_bytes,
            sampler=job.sampler,
            strength_schedule=job.strength_schedule,
        )

    async def _report(self, event: Event) -> None:
        """Write down what the generator says, then show it."""
        match event:
            case Started(job_id=job_id, attempt=attempt, total_steps=total_steps):
                job = await self._jobs.begin(job_id, attempt)
                if job is None:
                    self._service.cancel(job_id)
                    return
                self._open[job_id] = job
                self._lookout.show_step(job, 0, total_steps)
                self._lookout.show_queue()
            case Progress(job_id=job_id, step=step, total_steps=total_steps, preview=preview):
                if (job := self._open.get(job_id)) is not None:
                    self._lookout.show_step(job, step, total_steps, preview)
            case Finished():
                await self._keep_result(event)
            case Failed(job_id=job_id, kind=kind, reference=reference, data=data):
                if (job := self._open.get(job_id)) is not None:
                    await self._fail(job, kind, reference, **data)
            case Cancelled(job_id=job_id):
                job = await self._jobs.cancel(job_id)
                if job is not None:
                    await self._settle(job)

    async def _keep_result(self, event: Finished) -> None:
        """running → rendered, and on to delivery without holding the slot."""
        pictures: list[StoredPicture] = []
        for index, picture in enumerate(event.result.pictures, start=1):
            number = f"-{index}" if len(event.result.pictures) > 1 else ""
            filename = f"palimpsest-{event.job_id}{number}.{picture.extension}"
            await self._spool.write(event.job_id, filename, picture.data)
            pictures.append(
                StoredPicture(
                    filename=filename,
                    media_type=picture.media_type,
                    seed=picture.seed,
                    width=picture.width,
                    height=picture.height,
                    native_width=picture.native_width,
                    native_height=picture.native_height,
                )
            )
        job = await self._jobs.render(event.job_id, pictures, event.result.seconds)
        if job is None:
            await self._spool.delete(event.job_id)
            return
        self._estimates.learn(job)
        self._service.account(job.job_id, event.result.seconds, self._cost)
        self._open[job.job_id] = job
        self._lookout.forget(job.job_id)
        self._spawn(job, self._deliver(job, may_be_there=False))

    async def _deliver(self, job: Job, *, may_be_there: bool) -> None:
        """rendered → delivered."""
        try:
            message_id = await self._delivery.send(job, may_be_there=may_be_there)
        except FileNotFoundError:
            await self._fail(job, "result_lost")
            return
        except Refused as error:
            await self._fail(job, error.reason, **error.data)
            return
        delivered = await self._jobs.deliver(job.job_id, message_id)
        await self._spool.delete(job.job_id, keep=INPUT_FILENAME)
        if delivered is not None:
            await self._settle(delivered)

    async def _fail(self, job: Job, kind: str, reference: str = "", **data: Any) -> None:
        failed = await self._jobs.fail(job.job_id, kind, reference, data)
        if failed is not None:
            if kind == FailureKind.MODEL_UNAVAILABLE:
                log.error("job %s: %s", job.job_id, failure_sentence(FailureKind.MODEL_UNAVAILABLE, data))
            else:
                log.info("job %s failed: %s %s", job.job_id, kind, reference)
            await self._spool.delete(job.job_id)
            await self._settle(failed)

    async def _settle(self, job: Job) -> None:
        """Say the last word about a job and forget it."""
        self._open.pop(job.job_id, None)
        self._lookout.forget(job.job_id)
        self._note_settled(job)
        if job.state is JobState.CANCELLED:
            await self._spool.delete(job.job_id)
        self._lookout.show_queue()
        await self._lookout.settle(job)

    async def _delivered(self, *job_ids: str) -> None:
        """Wait for deliveries under way: a result is seen, and answered, a moment before its row knows the message."""
        rendered = [
            job_id for job_id in job_ids if job_id in self._open and self._open[job_id].state is JobState.RENDERED
        ]
        steps = [self._steps[job_id] for job_id in rendered if job_id in self._steps]
        if steps:
            await asyncio.wait(steps, timeout=_DELIVERY_SECONDS)

    def _status_deleted(self, message_id: int) -> None:
        """Treat a status message that is found to be gone like one that is seen to be deleted."""
        task = asyncio.create_task(self.message_deleted(message_id))
        self._deletions.add(task)
        task.add_done_callback(self._deletions.discard)

    def _spawn(self, job: Job, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(job, work))
        self._steps[job.job_id] = task
        task.add_done_callback(lambda _: self._steps.pop(job.job_id, None))

    async def _guarded(self, job: Job, work: Coroutine[Any, Any, None]) -> None:
        current_job_id.set(job.job_id)
        try:
            await work
        except Exception as error:
            # The last wall of a background step: whatever broke, the person is told and the others go on.
            reference = new_reference()
            log.error("a step of job %s broke [%s]\n%s", job.job_id, reference, stack_of(error))
            await self._fail(job, FailureKind.INTERNAL, reference)
