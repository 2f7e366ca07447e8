"""Intake of the picture that a job starts from."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from bot.errors import JobFailed, Refused
from bot.jobs.attachments import AttachmentDownloads
from bot.screening.screening import Screening
from bot.storage.job import Job
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble
from generation.errors import ExecutorError, ImageRefused, InvalidRequest
from generation.events import FailureKind
from generation.images.decoder import ImageDecoder
from generation.images.transparency import has_transparency, require_transparency
from generation.requests import steps_for_strength

log = logging.getLogger(__name__)

T = TypeVar("T")
# Temporary failures: an overloaded machine, or a child process that has just died.
_TEMPORARY = ("check_failed", "download_failed")
_PAUSES_SECONDS = (0.5, 2.0)
# Each may hold 25 MiB, and as much for its mask, while it waits for the decoder: a full queue would exceed many
# machines' memory.
MAX_AT_ONCE = 8


async def with_retries(work: Callable[[], Awaitable[T]]) -> T:
    """Run ``work``, and again after a pause if it fails with a temporary error."""
    for pause_seconds in _PAUSES_SECONDS:
        try:
            return await work()
        except Refused as error:
            if error.reason not in _TEMPORARY:
                raise
            log.warning("%s; trying again", error.reason)
            await asyncio.sleep(pause_seconds)
    return await work()


class Intake:
    """Fetches a job's picture and mask, decodes them in a disposable process, and screens and stores the clean copy.

    At most ``MAX_AT_ONCE`` pictures are in memory at the same time; the others are fetched when it is their turn.
    """

    def __init__(
        self, downloads: AttachmentDownloads, decoder: ImageDecoder, spool: Spool, screening: Screening
    ) -> None:
        self._downloads = downloads
        self._decoder = decoder
        self._spool = spool
        self._screening = screening
        self._room = asyncio.Semaphore(MAX_AT_ONCE)

    async def prepare_input(self, job: Job) -> dict[str, Any]:
        """Store the picture; return the job's fields that it decides, such as its sha256. Raises JobFailed."""
        try:
            async with self._room:
                return await self._prepare_input(job)
        except FileNotFoundError as error:
            raise JobFailed("input_expired") from error
        except (StorageTrouble, OSError) as error:
            log.error("the picture of job %s could not be kept: %s", job.job_id, error)
            raise JobFailed(StorageTrouble.reason) from error
        except Refused as error:
            raise JobFailed(error.reason, error.data) from error
        except InvalidRequest as error:
            data = {"field": error.field, "reason": error.reason, **error.data}
            raise JobFailed(FailureKind.INVALID_REQUEST, data) from error
        except ImageRefused as error:
            raise JobFailed(FailureKind.IMAGE_REFUSED, {"reason": error.reason, **error.data}) from error
        except ExecutorError as error:
            log.error("the picture of job %s could not be decoded: %s", job.job_id, error)
            raise JobFailed(FailureKind.EXECUTOR_UNAVAILABLE) from error

    async def _prepare_input(self, job: Job) -> dict[str, Any]:
        data, input_sha256 = await with_retries(lambda: self._clean_picture(job))
        decided: dict[str, Any] = {"input_sha256": input_sha256}
        if job.repaint == "transparent" and not has_transparency(data) and job.whole_strength is not None:
            steps = steps_for_strength(job.whole_strength, job.num_inference_steps)
            decided |= {"repaint": "all", "strength": job.whole_strength, "num_inference_steps": steps}
        elif job.repaint == "transparent":
            require_transparency(data)
        await with_retries(lambda: self._screening.screen_input(job, data, input_sha256))
        await self._spool.write(job.job_id, INPUT_FILENAME, data)
        return decided

    async def _clean_picture(self, job: Job) -> tuple[bytes, str]:
        if job.attachment_url is not None:
            mask = None if job.mask_url is None else await self._downloads.fetch(job.mask_url)
            image = await self._decoder.decode(await self._downloads.fetch(job.attachment_url), mask)
            return image.data, image.sha256
        assert job.parent_job_id is not None, "a job begins with a download or with another job's input"
        return await self._spool.read(job.parent_job_id, INPUT_FILENAME), job.input_sha256 or ""
