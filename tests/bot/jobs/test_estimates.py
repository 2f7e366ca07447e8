"""Estimates come from measurements on this machine and nothing else."""

from dataclasses import replace

import pytest

from bot.jobs.estimates import Estimates, work
from bot.storage.database import Database
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from tests.bot.jobs_made import PICTURE, make_job


def test_work_grows_with_steps_pictures_and_pixels() -> None:
    job = make_job(strength=0.5, num_inference_steps=20, count=1, max_pixels=1_000_000)
    assert work(job) == 10
    assert work(replace(job, count=3)) == 30
    assert work(replace(job, strength=1.0)) == 20
    assert work(replace(job, max_pixels=250_000)) == 2.5


async def test_nothing_is_claimed_before_something_was_measured(database: Database) -> None:
    estimates = Estimates(Jobs(database))
    await estimates.load("demo")
    assert estimates.seconds(make_job()) is None


async def test_the_median_of_what_was_measured_scales_with_the_work(database: Database) -> None:
    job = make_job(strength=0.5, num_inference_steps=20)
    jobs = Jobs(database)
    for seconds in (4.0, 5.0, 60.0):  # the last one: a first job with a slow model load
        done = make_job(strength=0.5, num_inference_steps=20)
        await jobs.accept(done)
        await jobs.enqueue(done.job_id, "")
        await jobs.begin(done.job_id, 1)
        await jobs.render(done.job_id, [PICTURE], seconds)
    estimates = Estimates(jobs)
    await estimates.load("demo")
    assert estimates.seconds(job) == pytest.approx(5.0)
    assert estimates.seconds(replace(job, count=2)) == pytest.approx(10.0)
    assert estimates.seconds(replace(job, model="another")) is None
    for _ in range(4):
        estimates.learn(replace(job, seconds=1.0))
    assert estimates.seconds(job) == pytest.approx(1.0)


async def test_earlier_runs_are_looked_up_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(database)
    looked_up: list[str] = []

    async def last_measured(model: str, _limit: int) -> list[Job]:
        looked_up.append(model)
        return []

    monkeypatch.setattr(jobs, "last_measured", last_measured)
    estimates = Estimates(jobs)
    for model in ("demo", "another", "demo"):
        await estimates.load(model)
        estimates.learn(make_job(model=model, seconds=2.0))
    assert looked_up == ["demo", "another"]


async def test_what_a_picture_takes_in_any_case_is_not_taken_for_its_steps(database: Database) -> None:
    job = make_job(strength=0.5, num_inference_steps=4, max_pixels=1_000_000)
    large = replace(job, num_inference_steps=100)
    estimates = Estimates(Jobs(database))
    for steps in (4, 20, 8):  # three seconds per picture, and a tenth of a second per step run
        estimates.learn(replace(job, num_inference_steps=steps, seconds=3 + 0.1 * steps / 2))
    assert estimates.seconds(large) == pytest.approx(3 + 5)
    assert estimates.seconds(replace(large, count=2)) == pytest.approx(2 * (3 + 5))
    estimates.learn(replace(job, seconds=60.0))  # includes loading the model
    assert estimates.seconds(large) == pytest.approx(8, rel=0.5)


async def test_a_larger_job_is_never_promised_for_next_to_nothing(database: Database) -> None:
    job = make_job(strength=1.0, num_inference_steps=10, max_pixels=1_000_000)
    estimates = Estimates(Jobs(database))
    estimates.learn(replace(job, seconds=60.0))  # includes loading the model
    estimates.learn(replace(job, num_inference_steps=20, seconds=20.0))
    assert (estimates.seconds(replace(job, num_inference_steps=150)) or 0) > 50


async def test_a_job_costs_what_is_expected_and_an_unknown_model_as_much_as_the_slowest(database: Database) -> None:
    job = make_job(strength=0.5, num_inference_steps=20, max_pixels=1_000_000)
    estimates = Estimates(Jobs(database))
    assert estimates.cost(job) == work(job)
    estimates.learn(replace(job, model="quick", seconds=2.0))
    estimates.learn(replace(job, model="slow", seconds=30.0))
    assert estimates.cost(replace(job, model="quick")) == pytest.approx(2.0)
    assert estimates.cost(replace(job, model="unknown")) == pytest.approx(30.0)
