"""The request that a job sends to the generator, and the pictures that come back."""

from functools import partial

from bot.jobs.intake import with_retries
from bot.screening.screening import Screening
from bot.storage.job import Job, StoredPicture
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import retry_on_storage_trouble
from generation.requests import Img2ImgRequest, Img2ImgResult


def request_of(job: Job, image: bytes) -> Img2ImgRequest:
    """Build the frozen request from a job's row and its picture (an encoded file)."""
    return Img2ImgRequest(
        image=image,
        input_sha256=job.input_sha256 or "",
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        strength=job.strength,
        strengths=job.strengths,
        guidance_scale=job.guidance_scale,
        num_inference_steps=job.num_inference_steps,
        seed=job.seed,
        count=job.count,
        max_pixels=job.max_pixels,
        model=job.model,
        max_result_bytes=job.max_result_bytes,
        sampler=job.sampler,
        strength_schedule=job.strength_schedule,
        adapter=job.adapter,
        adapter_weight=job.adapter_weight,
        repaint=job.repaint,
    )


class Results:
    """Stores finished pictures until they are delivered, provided that they may be shown."""

    def __init__(self, spool: Spool, screening: Screening) -> None:
        self._spool = spool
        self._screening = screening

    async def request_for(self, job: Job) -> Img2ImgRequest:
        """Build the request of a job whose turn has come.

        Raises Refused if the prompt is no longer allowed, FileNotFoundError if the input picture is no longer stored.
        """
        await self._screening.recheck_prompt(job)
        return request_of(job, await self._spool.read(job.job_id, INPUT_FILENAME))

    async def keep(self, job: Job, result: Img2ImgResult) -> list[StoredPicture]:
        """Screen the pictures and store them, however long that takes; raise Refused if they may not be shown."""
        data = [picture.data for picture in result.pictures]
        await retry_on_storage_trouble(lambda: with_retries(lambda: self._screening.screen_result(job, data)))
        stored: list[StoredPicture] = []
        for index, picture in enumerate(result.pictures, start=1):
            number = f"-{index}" if len(result.pictures) > 1 else ""
            filename = f"palimpsest-{job.job_id}{number}.{picture.extension}"
            await retry_on_storage_trouble(partial(self._spool.write, job.job_id, filename, picture.data))
            stored.append(
                StoredPicture(
                    filename=filename,
                    media_type=picture.media_type,
                    seed=picture.seed,
                    width=picture.width,
                    height=picture.height,
                    native_width=picture.native_width,
                    native_height=picture.native_height,
                    painted_again=bool(picture.parameters.get("painted_again")),
                    denoising_steps=picture.parameters.get("denoising_steps"),
                    trimmed=picture.parameters.get("trimmed", 0.0),
                    transparent=picture.parameters.get("transparent", False),
                )
            )
        return stored
