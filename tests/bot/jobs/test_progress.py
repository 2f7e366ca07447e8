"""Places and waiting times as shown: measured, with several jobs side by side, and updated on changes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot.display.cards import Painting, Paused, Standing, Waiting
from bot.jobs.estimates import Estimates
from bot.jobs.progress import ProgressTracker
from bot.storage.database import Database
from bot.storage.job import Job, JobState
from bot.storage.jobs import Jobs
from generation.events import Event, Started
from generation.requests import Img2ImgRequest
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService
from tests.bot.jobs_made import make_job
from tests.generation.samples import request as any_request

SECONDS_OF_EACH = 10.0


class Board:
    """Records what it was told to show."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, Standing, bytes | None]] = []

    def show(self, job: Job, standing: Standing = None, preview: bytes | None = None) -> None:
        self.shown.append((job.job_id, standing, preview))


class PatientExecutor:
    """Starts every request and finishes none."""

    slots = 2

    async def start(self) -> None:
        """Start nothing."""

    async def run(self, job_id: str, attempt: int, request: Img2ImgRequest) -> AsyncGenerator[Event, None]:
        yield Started(job_id=job_id, attempt=attempt, total_steps=10)
        await asyncio.Event().wait()

    def cancel(self, job_id: str) -> None:
        """Ignore it: no test cancels."""

    async def stop(self) -> None:
        """Stop nothing."""


class Scene:
    """Two running and three waiting jobs, each of another member, and a clock that the test controls."""

    def __init__(self, estimates: Estimates) -> None:
        self.now = 100.0
        self.board = Board()
        self.started: asyncio.Queue[Event] = asyncio.Queue()
        self.jobs = {name: make_job(job_id=name, state=JobState.QUEUED) for name in "abcde"}
        self.service = GenerationService(PatientExecutor(), load_request=self._load, report=self.started.put)
        self.progress = ProgressTracker(
            self.jobs,
            self.service,
            self.board,  # type: ignore[arg-type]
            estimates,
            clock=lambda: self.now,
        )

    async def _load(self, _ticket: Ticket) -> Img2ImgRequest:
        return any_request("step")

    def waiting(self) -> list[tuple[str, int, float | None]]:
        return [(job.job_id, place.ahead, place.seconds) for job, place in self.progress.waiting()]


@asynccontextmanager
async def scene(folder: Path, *, measured: bool = True) -> AsyncIterator[Scene]:
    async with Database(folder) as database:
        estimates = Estimates(Jobs(database))
        if measured:
            estimates.learn(make_job(seconds=SECONDS_OF_EACH))
        scene = Scene(estimates)
        for name in scene.jobs:
            scene.service.submit(Ticket(job_id=name, owner=name, group="g", cost=SECONDS_OF_EACH))
        serving = asyncio.create_task(scene.service.run())
        for _ in range(2):
            await scene.started.get()
        yield scene
        await scene.service.close(grace_seconds=0)
        await serving


async def test_two_at_a_time_share_the_device(tmp_path: Path) -> None:
    async with scene(tmp_path) as seen:
        assert seen.waiting() == [("c", 1, 40), ("d", 2, 40), ("e", 3, 50)]


async def test_the_steps_of_what_runs_shorten_the_wait_at_their_own_pace(tmp_path: Path) -> None:
    async with scene(tmp_path) as seen:
        running = replace(seen.jobs["a"], state=JobState.RUNNING)
        seen.progress.show_step(running, 0, 10)
        assert seen.board.shown[-1] == ("a", Painting(0, 10, 20.0), None)  # 10 device seconds at half a device
        seen.now += 4  # meanwhile the model loads, which says nothing about steps
        seen.progress.show_step(running, 1, 10)
        assert seen.board.shown[-1] == ("a", Painting(1, 10, 18.0), None)
        seen.now += 0.5
        seen.progress.show_step(running, 2, 10)
        assert seen.board.shown[-1] == ("a", Painting(2, 10, 4.0), None)
        seen.now += 1  # half a second of its 2 device seconds has passed
        # a ends at 3, b at 20, c (with 1.5 left then) at 23, d at 40, e alone at 41.5, the total work.
        assert seen.waiting() == [("c", 1, 23), ("d", 2, 40), ("e", 3, 41.5)]


async def test_the_first_job_ever_has_a_time_as_soon_as_it_has_a_pace(tmp_path: Path) -> None:
    async with scene(tmp_path, measured=False) as seen:
        running = replace(seen.jobs["a"], state=JobState.RUNNING)
        for step in (0, 1, 2):
            seen.progress.show_step(running, step, 10)
            seen.now += 1
        assert [standing for _, standing, _ in seen.board.shown] == [
            Painting(0, 10, None),
            Painting(1, 10, None),
            Painting(2, 10, 8.0),
        ]


async def test_those_who_wait_are_told_anew_while_somebody_is_painted_but_not_at_every_step(tmp_path: Path) -> None:
    async with scene(tmp_path) as seen:
        running = replace(seen.jobs["a"], state=JobState.RUNNING)
        for step in range(1, 7):
            seen.progress.show_step(running, step, 10)
            seen.now += 2
        told = [name for name, standing, _ in seen.board.shown if isinstance(standing, Waiting)]
        assert told == ["c", "d", "e"]


async def test_while_paused_nobody_knows_when(tmp_path: Path) -> None:
    async with scene(tmp_path) as seen:
        seen.service.pause()
        assert seen.waiting() == [("c", 1, None), ("d", 2, None), ("e", 3, None)]
        seen.progress.show_queue()
        assert [standing for _, standing, _ in seen.board.shown] == [Paused()] * 3


async def test_how_far_a_job_was_is_forgotten_with_the_process_that_painted_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as seen:
        running = replace(seen.jobs["a"], state=JobState.RUNNING)
        for step in (0, 1, 2):
            seen.progress.show_step(running, step, 10)
            seen.now += 0.1
        seen.progress.show_loss(running)
        assert seen.board.shown[-1] == ("a", None, None)
        assert seen.waiting() == [("c", 1, 40), ("d", 2, 40), ("e", 3, 50)]


async def test_previews_are_handed_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as seen:
        seen.progress.show_step(replace(seen.jobs["a"], state=JobState.RUNNING), 1, 10, b"small")
        assert seen.board.shown[-1][2] == b"small"
