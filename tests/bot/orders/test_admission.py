"""Limits on waiting requests, in total, per server and per member; each refusal says which one was reached."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.components.job_buttons import status_view
from bot.errors import Refused
from bot.jobs.desk import Acknowledge as AcknowledgeText
from bot.orders.admission import Acknowledge, Admission
from bot.orders.options import Options, Source
from bot.orders.origin import Origin
from bot.replies import error_sentence
from bot.storage.job import CancelReason, Job, JobState
from tests.bot.jobs_made import make_job, make_origin
from tests.bot.orders.test_origin import ELSEWHERE, command


class Desk:
    """Counts the open jobs that it was given, and accepts more."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)

    def open_jobs(self, requester_id: int | None = None) -> int:
        return sum(requester_id in (None, job.requester_id) for job in self.jobs)

    def open_jobs_in(self, guild_id: int | None) -> int:
        return sum(job.guild_id == guild_id for job in self.jobs)

    async def has_input(self, _job: Job) -> bool:
        await asyncio.sleep(0)  # the disk is read
        return True

    async def accept(self, job: Job, acknowledge: AcknowledgeText) -> None:
        await acknowledge("heard")
        self.jobs.append(job)

    async def cancel(self, job_id: str, reason: CancelReason) -> bool:
        assert reason is CancelReason.REQUEST_EDITED
        before = len(self.jobs)
        self.jobs = [job for job in self.jobs if job.job_id != job_id]
        return len(self.jobs) < before


async def allowed(_origin: Origin, *, is_asking: bool, instead_of: Job | None) -> None:
    """Allow every request."""


async def at_once(_text: str, view: discord.ui.View) -> int:
    assert view.children, "whoever has asked by mistake cancels at once"
    return 4


def admission_of(desk: Desk) -> Admission:
    orders: Any = SimpleNamespace(order=lambda origin, *_: make_job(guild_id=origin.guild_id))
    return Admission(
        cast("Any", desk),
        orders,
        cast("Any", SimpleNamespace(require=allowed)),
        cast("Any", SimpleNamespace(require_not_excluded=lambda *_: None, require_allowed_prompt=lambda _: None)),
        status_view=status_view,
        user_installs=False,
        max_waiting=6,
        max_waiting_per_server=4,
        max_waiting_in_direct_messages=3,
        max_waiting_per_member=2,
    )


ATTACHED = Source(attachment_url="https://example.org")
AGAIN = Source(parent=make_job())


async def ask(
    admission: Admission, guild_id: int | None, acknowledge: Acknowledge = at_once, source: Source = ATTACHED
) -> str | None:
    """Send a request as member 1; return the refusal's sentence, if any."""
    try:
        await admission.accept(make_origin(guild_id=guild_id), Options(prompt="x"), source, acknowledge)
    except Refused as refused:
        return error_sentence(refused)
    return None


async def test_unless_the_operator_wants_it_the_bot_is_not_used_where_it_is_not() -> None:
    desk = Desk()
    asked = command(ELSEWHERE, is_of_account=True)  # as by a button under an old result
    with pytest.raises(Refused, match="not_in_server"):
        await admission_of(desk).accept_interaction(asked, Options(prompt="x"), ATTACHED)
    assert desk.jobs == []


def of(member: int, guild_id: int | None = 2, count: int = 1) -> list[Job]:
    return [make_job(requester_id=member, guild_id=guild_id) for _ in range(count)]


@pytest.mark.parametrize(
    ("waiting", "guild_id", "says"),
    [
        (of(1), 2, None),
        (of(1, count=2), 2, "You already have 2 requests in the queue"),
        (of(5) + of(6) + of(7) + of(8), 2, "This server's queue is full, with 4 requests in it already"),
        (of(5) + of(6) + of(7) + of(8), 9, None),
        (of(5, None, 5), 2, None),  # direct messages count for no server
        (of(5, None) + of(6, None) + of(7, 2, 3), None, None),
        (of(5, None) + of(6, None) + of(7, None), None, "The queue for direct messages is full, with 3 requests in it"),
        (of(5, 9, 6), 2, "The queue is full, with 6 requests in it already"),
    ],
)
async def test_what_waits_is_bounded(waiting: list[Job], guild_id: int | None, says: str | None) -> None:
    desk = Desk(*waiting)
    sentence = await ask(admission_of(desk), guild_id)
    assert (sentence is None) is (says is None)
    assert says is None or says in (sentence or "")
    assert len(desk.jobs) == len(waiting) + (says is None)


@pytest.mark.parametrize("source", [ATTACHED, AGAIN], ids=["attached", "again"])
async def test_a_burst_does_not_slip_through_together(source: Source) -> None:
    """Discord is slow: every response is still on its way when the next request arrives."""
    desk, heard = Desk(), asyncio.Event()
    admission = admission_of(desk)

    async def slowly(_text: str, _view: discord.ui.View) -> int:
        await heard.wait()
        return 4

    burst = [asyncio.create_task(ask(admission, 2, slowly, source)) for _ in range(10)]
    await asyncio.sleep(0)
    heard.set()
    sentences = await asyncio.gather(*burst)
    assert sentences.count(None) == len(desk.jobs) == 2
    assert await ask(admission, 2) is not None


async def test_what_takes_the_place_of_a_request_finds_room_and_what_is_refused_leaves_it() -> None:
    desk = Desk(*of(1, count=2))
    admission, (first, second) = admission_of(desk), desk.jobs
    await admission.accept(make_origin(), Options(prompt="x"), ATTACHED, at_once, instead_of=first)
    assert len(desk.jobs) == 2
    assert first not in desk.jobs
    admission.is_draining = True
    with pytest.raises(Refused):
        await admission.accept(make_origin(), Options(prompt="x"), ATTACHED, at_once, instead_of=second)
    assert second in desk.jobs


@pytest.mark.parametrize(
    ("state", "says"),
    [(JobState.ACCEPTED, "still fetching the picture"), (JobState.CANCELLED, "no longer have the picture")],
)
async def test_a_picture_that_is_not_there_yet_is_told_from_one_that_is_not_kept(state: JobState, says: str) -> None:
    class WithoutInputs(Desk):
        async def has_input(self, _job: Job) -> bool:
            return False

    sentence = await ask(admission_of(WithoutInputs()), 2, source=Source(parent=make_job(state=state)))
    assert says in (sentence or "")
