"""The jobs table: the only place where a job changes its state.

accepted → queued → running → rendered → delivered, and from any of them but the last to failed, cancelled or expired.
running → queued happens after the bot has died.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bot.storage.database import Database
from bot.storage.job import JOB_COLUMNS, CancelReason, Job, JobState, StoredPicture

TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.ACCEPTED, JobState.RUNNING}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.RUNNING}),
    JobState.RENDERED: frozenset({JobState.RUNNING}),
    JobState.DELIVERED: frozenset({JobState.RENDERED}),
    JobState.FAILED: frozenset({JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING, JobState.RENDERED}),
    JobState.CANCELLED: frozenset({JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING, JobState.RENDERED}),
    JobState.EXPIRED: frozenset({JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING, JobState.RENDERED}),
}


class Jobs:
    """Reads jobs and moves them between states. A move returns the updated job, or None if its state forbids it."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def accept(self, job: Job) -> None:
        """Store a new job."""
        values = {name: getattr(job, name) for name in JOB_COLUMNS}
        values["pictures"], values["failure_data"] = "[]", "{}"
        values["strengths"] = json.dumps(job.strengths)
        values["spoiler"] = int(job.spoiler)
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        await self._database.execute(f"INSERT INTO jobs ({columns}) VALUES ({marks})", *values.values())

    async def enqueue(self, job_id: str, input_sha256: str, **decided: Any) -> Job | None:
        """accepted → queued: the cleaned picture is on disk, and has ``decided`` these other fields."""
        return await self._move(job_id, JobState.QUEUED, input_sha256=input_sha256, queued_at=self._clock(), **decided)

    async def begin(self, job_id: str, attempt: int) -> Job | None:
        """queued → running, or running → running with the next attempt."""
        return await self._move(job_id, JobState.RUNNING, attempt=attempt, started_at=self._clock())

    async def note_attempt(self, job_id: str, attempt: int) -> None:
        """Record the attempt number of a job whose executor was lost, so that the loss counts even if the bot stops."""
        await self._database.execute("UPDATE jobs SET attempt = ? WHERE job_id = ?", attempt, job_id)

    async def render(self, job_id: str, pictures: Sequence[StoredPicture], seconds: float) -> Job | None:
        """running → rendered: the pictures are on disk."""
        text = json.dumps([asdict(picture) for picture in pictures])
        return await self._move(job_id, JobState.RENDERED, pictures=text, seconds=seconds, rendered_at=self._clock())

    async def deliver(self, job_id: str, result_message_id: int) -> Job | None:
        """rendered → delivered: the message exists."""
        return await self._move(
            job_id, JobState.DELIVERED, result_message_id=result_message_id, settled_at=self._clock()
        )

    async def fail(self, job_id: str, kind: str, reference: str, data: Mapping[str, Any]) -> Job | None:
        """End a job without a picture; ``data`` holds the values for its sentence."""
        return await self._move(
            job_id,
            JobState.FAILED,
            failure_kind=kind,
            failure_reference=reference,
            failure_data=json.dumps(dict(data), default=str),
            settled_at=self._clock(),
        )

    async def cancel(self, job_id: str, reason: CancelReason | None = None) -> Job | None:
        """End a job on request; ``reason`` is set if its requester may be unaware of it."""
        data = json.dumps({} if reason is None else {"reason": reason})
        return await self._move(job_id, JobState.CANCELLED, failure_data=data, settled_at=self._clock())

    async def expire(self, job_id: str, reason: str) -> Job | None:
        """End a job that nobody waits for any more."""
        return await self._move(
            job_id, JobState.EXPIRED, failure_data=json.dumps({"reason": reason}), settled_at=self._clock()
        )

    async def return_to_queue(self, job_id: str) -> Job | None:
        """running → queued: the bot died or was stopped, which does not count as an attempt."""
        return await self._move(job_id, JobState.QUEUED, started_at=None)

    async def count_unclean_death(self) -> None:
        """Record for every running job that the bot died while it ran."""
        statement = "UPDATE jobs SET unclean_deaths = unclean_deaths + 1 WHERE state = ?"
        await self._database.execute(statement, JobState.RUNNING)

    async def set_status_message(self, job_id: str, status_message_id: int | None) -> None:
        """Record the status message by which the requester has been told."""
        statement = "UPDATE jobs SET status_message_id = ? WHERE job_id = ?"
        await self._database.execute(statement, status_message_id, job_id)

    async def note_result_gone(self, job_id: str) -> None:
        """Record that a result's message is gone; a delivered job's status message has to be updated."""
        statement = (
            "UPDATE jobs SET result_message_id = NULL, is_end_shown = is_end_shown AND state <> ? WHERE job_id = ?"
        )
        await self._database.execute(statement, JobState.DELIVERED, job_id)

    async def hide(self, job_id: str) -> None:
        """Record that a job's pictures are shown only as spoilers."""
        await self._database.execute("UPDATE jobs SET spoiler = 1 WHERE job_id = ?", job_id)

    async def set_pictures(self, job_id: str, pictures: Sequence[StoredPicture]) -> None:
        """Record that a rendered job's files were re-encoded."""
        text = json.dumps([asdict(picture) for picture in pictures])
        await self._database.execute("UPDATE jobs SET pictures = ? WHERE job_id = ?", text, job_id)

    async def get(self, job_id: str) -> Job | None:
        """Return a job by its id; None also for one that was emptied because its member had it deleted."""
        jobs = await self._select("WHERE job_id = ? AND prompt <> ''", job_id)
        return jobs[0] if jobs else None

    async def by_message(self, message_id: int) -> Job | None:
        """Return the job whose result or status message this is."""
        jobs = await self._select("WHERE result_message_id = ? OR status_message_id = ?", message_id, message_id)
        return jobs[0] if jobs else None

    async def by_request(self, requester_id: int, message_id: int) -> Job | None:
        """Return the newest job that a member's message has led to."""
        condition = "WHERE requester_id = ? AND request_message_id = ? ORDER BY rowid DESC LIMIT 1"
        jobs = await self._select(condition, requester_id, message_id)
        return jobs[0] if jobs else None

    async def of_requester_since(self, requester_id: int, moment: float) -> list[Job]:
        """Return the jobs that a member has requested after ``moment``, oldest first."""
        return await self._select(
            "WHERE requester_id = ? AND accepted_at > ? ORDER BY accepted_at", requester_id, moment
        )

    async def unsettled(self) -> list[Job]:
        """Return the jobs that are not settled, oldest first."""
        states = [state for state in JobState if not state.is_settled]
        # In insertion order: ids sort by a clock that may have been set back.
        return await self._select(f"WHERE state IN ({', '.join('?' * len(states))}) ORDER BY rowid", *states)

    async def note_end_shown(self, job: Job) -> None:
        """Record that the status message says how a job ended, or never will, unless its result is gone by now."""
        statement = "UPDATE jobs SET is_end_shown = 1 WHERE job_id = ? AND result_message_id IS ?"
        await self._database.execute(statement, job.job_id, job.result_message_id)

    async def with_end_to_show(self) -> list[Job]:
        """Return the settled jobs whose status message may not say so yet."""
        return await self._select("WHERE is_end_shown = 0 AND settled_at IS NOT NULL")

    async def forget_settled_before(self, moment: float) -> None:
        """Delete the rows of jobs that ended before ``moment``."""
        await self._database.execute("DELETE FROM jobs WHERE settled_at < ?", moment)

    async def last_measured(self, model: str, limit: int) -> list[Job]:
        """Return the newest jobs of a model that have been timed."""
        return await self._select(
            "WHERE model = ? AND seconds IS NOT NULL ORDER BY rendered_at DESC LIMIT ?", model, limit
        )

    async def _select(self, condition: str, *values: Any) -> list[Job]:
        rows = await self._database.select(f"SELECT {', '.join(JOB_COLUMNS)} FROM jobs {condition}", *values)
        return [Job.from_row(row) for row in rows]

    async def _move(self, job_id: str, to: JobState, **columns: Any) -> Job | None:
        columns["state"] = to
        assignments = ", ".join(f"{name} = ?" for name in columns)
        origins = sorted(TRANSITIONS[to])
        statement = (
            f"UPDATE jobs SET {assignments} WHERE job_id = ? AND state IN ({', '.join('?' * len(origins))})"
            f" RETURNING {', '.join(JOB_COLUMNS)}"
        )

        def move(connection: sqlite3.Connection) -> Job | None:
            row = connection.execute(statement, (*columns.values(), job_id, *origins)).fetchone()
            return Job.from_row(row) if row is not None else None

        return await self._database.run(move)
