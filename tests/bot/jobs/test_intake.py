"""Temporary failures are retried, refusals are final, and a rush of requests does not fill the memory."""

import asyncio
import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from bot.errors import JobFailed, Refused
from bot.jobs import intake
from bot.jobs.intake import MAX_AT_ONCE, Intake, with_retries
from bot.storage.job import Job
from tests.bot.jobs_made import make_job


class Work:
    """Fails with each of these reasons in turn, then succeeds."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        self.done = 0

    async def do(self) -> str:
        self.done += 1
        if self.reasons:
            raise Refused(self.reasons.pop(0))
        return "done"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_PAUSES_SECONDS", (0.0, 0.0))


async def test_what_passes_is_tried_again() -> None:
    work = Work("check_failed", "download_failed")
    assert await with_retries(work.do) == "done"
    assert work.done == 3


async def test_what_does_not_pass_is_given_up_in_the_end() -> None:
    work = Work(*["check_failed"] * 4)
    with pytest.raises(Refused, match="check_failed"):
        await with_retries(work.do)
    assert work.done == 3


async def test_a_refusal_is_not_asked_for_twice() -> None:
    work = Work("picture_blocked")
    with pytest.raises(Refused, match="picture_blocked"):
        await with_retries(work.do)
    assert work.done == 1


class Ways:
    """All that an intake uses, in one object: downloads, decoder, screening and spool."""

    def __init__(self) -> None:
        self.checks = Work("check_failed", "check_failed")
        self.kept: list[bytes] = []
        self.fetched: list[str] = []
        self.decoded: list[tuple[bytes, bytes | None]] = []

    async def fetch(self, address: str) -> bytes:
        self.fetched.append(address)
        return b"as sent" if "mask" not in address else b"mask"

    async def decode(self, data: bytes, mask: bytes | None = None) -> Any:
        self.decoded.append((data, mask))
        return SimpleNamespace(data=b"clean", sha256=hashlib.sha256(data).hexdigest())

    async def screen_input(self, _job: Job, _clean: bytes, _sha256: str) -> None:
        await self.checks.do()

    async def write(self, _job_id: str, _filename: str, data: bytes) -> None:
        self.kept.append(data)


async def test_a_picture_whose_check_fails_for_a_moment_is_taken_and_one_that_stays_unseen_is_not() -> None:
    ways: Any = Ways()
    taker = Intake(ways, ways, ways, ways)
    assert await taker.prepare_input(make_job()) == {"input_sha256": hashlib.sha256(b"as sent").hexdigest()}
    assert ways.kept == [b"clean"]
    ways.checks.reasons = ["check_failed"] * 3
    with pytest.raises(JobFailed) as failed:
        await taker.prepare_input(make_job())
    assert failed.value.kind == "check_failed"
    assert ways.kept == [b"clean"]


async def test_a_mask_is_fetched_and_decoded_with_its_picture() -> None:
    ways: Any = Ways()
    ways.checks.reasons = []
    job = make_job(mask_url="https://cdn.discordapp.com/attachments/1/3/mask.png")
    await Intake(ways, ways, ways, ways).prepare_input(job)
    assert sorted(ways.fetched) == sorted([job.attachment_url or "", job.mask_url or ""])
    assert ways.decoded == [(b"as sent", b"mask")]
    assert ways.kept == [b"clean"]


class SlowWays(Ways):
    """The same, but each fetch lasts until the test lets it finish."""

    def __init__(self) -> None:
        super().__init__()
        self.checks.reasons = []
        self.fetching = 0
        self.let = asyncio.Event()

    async def fetch(self, address: str) -> bytes:
        self.fetching += 1
        await self.let.wait()
        return await super().fetch(address)


async def test_no_more_pictures_are_held_at_once_than_there_is_room_for() -> None:
    slow = SlowWays()
    ways: Any = slow
    taker = Intake(ways, ways, ways, ways)
    crowd = [asyncio.create_task(taker.prepare_input(make_job())) for _ in range(3 * MAX_AT_ONCE)]
    for _ in range(10):  # more often than any of them needs to go on
        await asyncio.sleep(0)
    assert slow.fetching == MAX_AT_ONCE
    slow.let.set()
    await asyncio.gather(*crowd)
    assert len(slow.kept) == 3 * MAX_AT_ONCE
