"""A kept input picture becomes a file for the result's message, checked as it was when it came in."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from bot.errors import Refused
from bot.jobs.shown_inputs import ShownInputs
from bot.screening.screening import Screening
from bot.storage.database import Database
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.policies import Policies
from bot.storage.remixing import Remixing
from bot.storage.spool import INPUT_FILENAME, Spool
from generation.images.decoder import ImageDecoder
from generation.safety.checker import PictureChecker
from tests.bot.jobs_made import make_job
from tests.pictures import encoded, flesh, photo

SERVER, RESTRICTED = 2, 31
PLAIN, FLESH = encoded(photo(), "PNG"), encoded(flesh(), "PNG")
PLENTY = 10 * 2**20


class Place(NamedTuple):
    inputs: ShownInputs
    jobs: Jobs
    spool: Spool
    policies: Policies

    async def kept(self, data: bytes, **changes: object) -> Job:
        """Return a job whose input this is."""
        job = make_job(guild_id=SERVER, input_sha256=hashlib.sha256(data).hexdigest(), **changes)
        await self.jobs.accept(job)
        await self.spool.write(job.job_id, INPUT_FILENAME, data)
        return job


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[PictureChecker]:
    async with PictureChecker(deadline_seconds=120) as checker:
        yield checker


@pytest.fixture
async def place(tmp_path: Path, database: Database, checker: PictureChecker) -> AsyncIterator[Place]:
    async def known_at_once() -> None:
        pass

    jobs, spool, policies = Jobs(database), Spool(tmp_path), Policies(database)
    screening = Screening(
        checker,
        policies,
        Remixing(database),
        jobs,
        lambda _, channel_id: channel_id == RESTRICTED,
        lambda *_: None,
        known_at_once,
    )
    async with ImageDecoder(deadline_seconds=120) as decoder:
        yield Place(ShownInputs(jobs, spool, decoder, screening), jobs, spool, policies)


async def test_it_is_the_kept_picture_itself(place: Place) -> None:
    job = await place.kept(PLAIN)
    file = await place.inputs.file_of(job, max_bytes=PLENTY)
    assert file.fp.read() == PLAIN
    assert file.filename == f"input-{job.job_id}.png"


async def test_one_that_is_too_large_for_the_channel_is_made_smaller(place: Place) -> None:
    job = await place.kept(PLAIN)
    file = await place.inputs.file_of(job, max_bytes=len(PLAIN) // 2)
    data = file.fp.read()
    assert len(data) <= len(PLAIN) // 2
    with Image.open(io.BytesIO(data)) as smaller, Image.open(io.BytesIO(PLAIN)) as kept:
        assert smaller.size == kept.size
        assert file.filename == f"input-{job.job_id}.{str(smaller.format).lower()}"


async def test_what_a_mask_marks_is_shown_and_what_is_transparent_is_white(place: Place) -> None:
    marks = Image.new("L", (96, 64), 0)
    marks.paste(255, (48, 0, 96, 64))
    cut = photo()
    cut.putalpha(marks)
    async with ImageDecoder(deadline_seconds=120) as decoder:
        masked = await decoder.decode(encoded(photo(), "PNG"), encoded(marks, "PNG"))
        transparent = await decoder.decode(encoded(cut, "PNG"))
    for clean, at, colour in ((masked, (90, 30), photo().getpixel((90, 30))), (transparent, (4, 4), (255, 255, 255))):
        file = await place.inputs.file_of(await place.kept(clean.data, channel_id=RESTRICTED), max_bytes=PLENTY)
        with Image.open(io.BytesIO(file.fp.read())) as shown:
            assert (shown.format, shown.mode, shown.getpixel(at)) == ("PNG", "RGB", colour)


async def test_it_is_hidden_where_the_policy_says_so_by_now(place: Place) -> None:
    shown, hidden = await place.kept(PLAIN, channel_id=RESTRICTED), await place.kept(FLESH, channel_id=RESTRICTED)
    assert not (await place.inputs.file_of(shown, max_bytes=PLENTY)).spoiler
    file = await place.inputs.file_of(hidden, max_bytes=PLENTY)
    assert file.filename == f"SPOILER_input-{hidden.job_id}.png"


async def test_none_is_shown_that_may_not_be_or_is_no_longer_there(place: Place) -> None:
    listed, blocked, foreign = (
        await place.kept(PLAIN),
        await place.kept(FLESH),
        await place.kept(PLAIN, input_owner_id=6),
    )
    await place.policies.block_picture(SERVER, listed.input_sha256 or "", None)
    gone = await place.kept(PLAIN, channel_id=RESTRICTED)
    await place.spool.delete(gone.job_id)
    excluded = await place.kept(PLAIN, requester_id=7)
    await place.policies.block_member(SERVER, 7)
    for job, reason in (
        (excluded, "member_blocked"),
        (listed, "picture_listed"),
        (blocked, "input_blocked"),
        (foreign, "not_yours_to_show"),
        (gone, "input_expired"),
    ):
        with pytest.raises(Refused) as refused:
            await place.inputs.file_of(job, max_bytes=PLENTY)
        assert refused.value.reason == reason
