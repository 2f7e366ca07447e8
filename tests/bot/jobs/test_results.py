"""A finished picture waits until the disk works, whichever of its data has to be stored."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.jobs.results import Results
from bot.storage import trouble
from bot.storage.job import Job
from bot.storage.spool import Spool
from bot.storage.trouble import StorageTrouble
from generation.requests import Img2ImgResult, Picture
from tests.bot.jobs_made import make_job


async def test_a_disk_that_is_full_when_a_picture_is_to_be_hidden_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def screen_result(_job: Job, _pictures: list[bytes]) -> None:
        if not pauses:
            raise StorageTrouble("SQLITE_FULL: database or disk is full")

    monkeypatch.setattr(trouble, "asyncio", SimpleNamespace(sleep=pause))
    screening: Any = SimpleNamespace(screen_result=screen_result)
    picture = Picture(
        data=b"a picture",
        media_type="image/png",
        width=512,
        height=512,
        native_width=64,
        native_height=64,
        seed=7,
        parameters={},
    )
    result = Img2ImgResult(pictures=(picture,), seconds=1.0, device="none", dtype="float32")
    spool, job = Spool(tmp_path), make_job()
    (stored,) = await Results(spool, screening).keep(job, result)
    assert await spool.read(job.job_id, stored.filename) == picture.data
    assert len(pauses) == 1
