"""What operators see: health, readiness and metrics over real HTTP, and what they never see."""

import asyncio
import json
import os
import re
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import Refused
from bot.monitoring.gauges import Gauges
from bot.monitoring.metrics import Metrics
from bot.monitoring.server import Monitoring
from bot.monitoring.traffic import DiscordTraffic
from bot.storage.database import Database
from bot.storage.facts import Facts
from bot.storage.job import Job, JobState
from tests.bot.jobs_made import make_job

DOCKERFILE = Path(__file__).parents[3] / "Dockerfile"


class FakeBot:
    """The part of the bot that the monitoring reads."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.running: list[Job] = []
        self.waiting: list[Job] = []

    def obstacles(self) -> list[str]:
        return list(self.reasons)

    def open_jobs(self) -> tuple[Sequence[Job], Sequence[Job]]:
        return self.running, self.waiting


class FakeExecutor:
    """The part of the generation process that the monitoring reads."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.is_warm = True
        self.device_memory_bytes: int | None = None
        self.losses: Counter[str] = Counter()


class Watched:
    """A monitored bot, and an HTTP client that queries it."""

    def __init__(self, metrics: Metrics, database: Database, session: aiohttp.ClientSession) -> None:
        self.metrics, self.database, self.session = metrics, database, session
        self.bot, self.executor = FakeBot(), FakeExecutor()
        self.monitoring = Monitoring(
            metrics,
            Gauges(self.bot, self.executor),
            write=partial(Facts(database).set, "last_health_check", "done"),
            host="127.0.0.1",
            port=0,
        )

    async def ask(self, path: str) -> tuple[int, list[str]]:
        async with self.session.get(f"{self.monitoring.url}{path}") as answer:
            return answer.status, (await answer.json())["reasons"]

    async def samples(self) -> dict[str, float]:
        """Return every sample of /metrics by its name and labels."""
        async with self.session.get(f"{self.monitoring.url}/metrics") as answer:
            assert answer.content_type == "text/plain"
            text = await answer.text()
        return {
            sample.name + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    metrics = Metrics()
    async with (
        Database(tmp_path, observe_seconds=metrics.database_commit_seconds.observe) as database,
        aiohttp.ClientSession() as session,
    ):
        watched = Watched(metrics, database, session)
        async with watched.monitoring:
            yield watched


async def test_health_is_a_write_to_the_database(watched: Watched) -> None:
    async def rename(old: str, new: str) -> None:
        await watched.database.run(lambda connection: connection.execute(f"ALTER TABLE {old} RENAME TO {new}"))

    assert await watched.ask("/healthz") == (200, [])
    await rename("facts", "lost")
    assert await watched.ask("/healthz") == (503, ["the database cannot be written (OperationalError)"])
    await rename("lost", "facts")
    assert await watched.ask("/healthz") == (200, [])


async def test_readiness_names_every_reason(watched: Watched) -> None:
    assert await watched.ask("/readyz") == (200, [])
    assert (await watched.samples())["palimpsest_ready"] == 1
    watched.bot.reasons = ["not connected to Discord", "paused by the operator"]
    watched.executor.is_warm = False
    status, reasons = await watched.ask("/readyz")
    assert status == 503
    assert reasons[:2] == watched.bot.reasons
    assert "model loaded" in reasons[2]
    assert (await watched.samples())["palimpsest_ready"] == 0


async def test_the_queue_and_the_generation_process(watched: Watched) -> None:
    samples = await watched.samples()
    assert samples["palimpsest_oldest_wait_seconds"] == 0
    assert samples["palimpsest_executor_resident_memory_bytes"] == 0
    assert "palimpsest_executor_device_memory_bytes" not in samples
    watched.bot.running = [make_job()]
    watched.bot.waiting = [make_job(queued_at=1.0), make_job(queued_at=2.0)]
    watched.executor.pid = (await asyncio.create_subprocess_exec("true")).pid  # a process that has ended, or soon will
    watched.executor.device_memory_bytes = 7
    watched.executor.losses["executor_hung"] += 1
    samples = await watched.samples()
    assert samples["palimpsest_queue_jobs{state=waiting}"] == 2
    assert samples["palimpsest_queue_jobs{state=running}"] == 1
    assert samples["palimpsest_oldest_wait_seconds"] > 1_000_000
    assert samples["palimpsest_executor_device_memory_bytes"] == 7
    assert samples["palimpsest_executor_restarts_total{cause=executor_hung}"] == 1
    assert samples["palimpsest_executor_restarts_total{cause=executor_died}"] == 0


async def test_a_jobs_life_is_counted_by_its_parts(watched: Watched) -> None:
    done = make_job(
        state=JobState.DELIVERED, accepted_at=10.0, queued_at=11.0, started_at=16.0, rendered_at=46.0, settled_at=47.0
    )
    watched.metrics.settled(done)
    watched.metrics.settled(replace(done, state=JobState.FAILED, failure_kind="out_of_memory", rendered_at=None))
    watched.metrics.settled(replace(done, state=JobState.CANCELLED, queued_at=None, started_at=None, rendered_at=None))
    samples = await watched.samples()
    assert samples["palimpsest_jobs_total{outcome=delivered}"] == 1
    assert samples["palimpsest_jobs_total{outcome=failed}"] == 1
    assert samples["palimpsest_jobs_total{outcome=expired}"] == 0
    assert samples["palimpsest_job_failures_total{kind=out_of_memory}"] == 1
    assert samples["palimpsest_job_phase_seconds_sum{phase=wait}"] == 10
    assert samples["palimpsest_job_phase_seconds_count{phase=painting}"] == 1
    assert samples["palimpsest_job_phase_seconds_sum{phase=painting}"] == 30
    assert samples["palimpsest_job_phase_seconds_sum{phase=delivery}"] == 1


async def test_refusals_are_counted_by_reason_and_commits_by_time(watched: Watched) -> None:
    watched.metrics.refused(Refused("queue_full", max_waiting=3))
    await watched.database.run(lambda connection: None)
    samples = await watched.samples()
    assert samples["palimpsest_refusals_total{reason=queue_full}"] == 1
    assert samples["palimpsest_database_commit_seconds_count"] == 1


@asynccontextmanager
async def discord_that_answers(*statuses: int) -> AsyncIterator[tuple[str, web.AppRunner]]:
    remaining = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        shared = {"X-RateLimit-Scope": "shared"} if len(remaining) == 1 else {}
        return web.Response(status=remaining.pop(0), headers=shared)

    application = web.Application()
    application.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", runner
    finally:
        await runner.cleanup()


async def test_discords_answers_and_the_time_to_the_first(watched: Watched) -> None:
    traffic = DiscordTraffic(watched.metrics)
    async with (
        discord_that_answers(204, 200, 403, 502, 429, 429) as (url, runner),
        aiohttp.ClientSession(trace_configs=[traffic.trace]) as session,
    ):
        traffic.arrived(77)
        for path in ("interactions/77/secret-token/callback", "interactions/78/secret-token/callback", *"abcd"):
            async with session.post(f"{url}/api/v10/{path}"):
                pass
        await runner.cleanup()
        with pytest.raises(aiohttp.ClientError):
            await session.post(url)
    samples = await watched.samples()
    assert samples["palimpsest_discord_responses_total{status=2xx}"] == 2
    assert samples["palimpsest_discord_responses_total{status=4xx}"] == 3
    assert samples["palimpsest_discord_responses_total{status=5xx}"] == 1
    assert samples["palimpsest_discord_responses_total{status=none}"] == 1
    assert samples["palimpsest_discord_invalid_requests_total"] == 2  # the last 429 is for a shared rate limit
    assert samples["palimpsest_acknowledgement_seconds_count"] == 1
    assert not any("secret-token" in name for name in samples)


async def test_an_address_that_cannot_be_used_is_a_line_in_the_log_and_off_is_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def write() -> None:
        """Do nothing."""

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host, chosen, says in (
            ("127.0.0.1", port, "MONITORING_PORT"),
            ("..", 0, "MONITORING_PORT"),
            ("127.0.0.1", None, ""),
        ):
            caplog.clear()
            async with Monitoring(
                Metrics(), Gauges(FakeBot(), FakeExecutor()), write=write, host=host, port=chosen
            ) as monitoring:
                assert monitoring.url is None
            assert says in caplog.text
            assert bool(caplog.text) is bool(says)


def test_nothing_says_who_or_where() -> None:
    labels = {label for family in Metrics().registry.collect() for sample in family.samples for label in sample.labels}
    assert labels <= {"outcome", "kind", "phase", "status", "reason", "le"}


async def test_the_containers_health_check_asks_the_right_question(watched: Watched) -> None:
    (command,) = re.findall(
        r"^HEALTHCHECK .*\\\n    CMD (\[.*\])$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE
    )
    python, *arguments = json.loads(command)
    assert python == "python"
    assert watched.monitoring.url is not None
    port = watched.monitoring.url.rpartition(":")[2]

    async def status() -> int:
        environment = {**os.environ, "MONITORING_PORT": port}
        check = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        return await check.wait()

    assert await status() == 0
    await watched.database.run(lambda connection: connection.execute("DROP TABLE facts"))
    assert await status() == 1
