"""Deletion is real: no row and no byte remains in any file of the database, and no data of a member is overlooked."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.components.open_forms import OpenForms
from bot.orders.options import Source
from bot.privacy.deletion import DataDeletion
from bot.storage.audit import Audit, AuditEntry
from bot.storage.database import DATABASE_NAME, Database
from bot.storage.defaults import Defaults, Layer
from bot.storage.gone_places import HOLDINGS as PLACES
from bot.storage.gone_places import GonePlaces
from bot.storage.jobs import Jobs
from bot.storage.member_data import HOLDINGS, OTHER_IDS, Kind, MemberData
from bot.storage.migrations import migrate
from bot.storage.policies import DEFAULT_POLICY, EVERYWHERE, Policies
from bot.storage.remixing import Remixing
from bot.storage.reports import Reports
from bot.storage.spool import Spool
from bot.storage.trouble import StorageTrouble
from tests.bot.jobs_made import make_job

MEMBER, OTHER, SERVER = 10**18 + 1, 10**18 + 2, 10**18 + 3
SECRET = "a-prompt-that-nobody-else-would-write"


def columns() -> Iterator[tuple[str, str]]:
    """Yield every table and column of the schema."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        for row in connection.execute(f"PRAGMA table_info({table})").fetchall():
            yield table, row[1]
    connection.close()


def test_every_column_that_could_hold_a_member_is_listed() -> None:
    held = {(holding.table, holding.column) for holding in HOLDINGS}
    ids = {(table, column) for table, column in columns() if column.endswith("_id")}
    assert {(table, column) for table, column in ids if column not in OTHER_IDS} == held


def test_every_column_that_could_hold_a_server_is_listed() -> None:
    ids = {(table, column) for table, column in columns() if column in ("guild_id", "owner_id")}
    assert ids == {(table, column) for table, column, _ in PLACES}


def bytes_of(folder: Path) -> bytes:
    """Return the contents of all files of the database."""
    files = sorted(folder.glob(f"{DATABASE_NAME}*"))
    assert len(files) >= 2, "the write-ahead log is one of them"
    return b"".join(path.read_bytes() for path in files)


async def test_deleted_requests_leave_no_byte(database: Database, tmp_path: Path) -> None:
    jobs, data = Jobs(database), MemberData(database)
    old, new, foreign = (
        make_job(requester_id=MEMBER, prompt=f"{SECRET} {number}", accepted_at=accepted_at)
        for number, accepted_at in enumerate((time.time() - 90_000, time.time() - 10, time.time()))
    )
    await jobs.accept(old)
    await jobs.accept(new)
    await jobs.accept(make_job(requester_id=OTHER, prompt=f"theirs {foreign.prompt}"))
    for job in (old, new):
        await jobs.fail(job.job_id, "internal", "", {"text": SECRET})
    assert bytes_of(tmp_path).count(SECRET.encode()) >= 5
    assert (await data.count(MEMBER))[Kind.REQUESTS] == 2

    await data.delete_requests([old.job_id, new.job_id], keep_since=time.time() - 86_400)
    left = bytes_of(tmp_path)
    assert left.count(SECRET.encode()) == left.count(b"theirs " + SECRET.encode()) > 0
    assert old.job_id.encode() not in left
    assert (await data.count(MEMBER))[Kind.REQUESTS] == 0
    counted = await jobs.of_requester_since(MEMBER, 0)  # a budget still counts the seconds of the last day
    assert [(job.job_id, job.prompt) for job in counted] == [(new.job_id, "")]

    await data.forget_emptied(time.time())
    await database.empty_log()
    assert new.job_id.encode() not in bytes_of(tmp_path)
    assert await jobs.of_requester_since(OTHER, 0)


async def test_what_a_member_may_delete_goes_and_what_moderators_decided_stays(database: Database) -> None:
    data, reports, policies, audit = MemberData(database), Reports(database), Policies(database), Audit(database)
    await Defaults(database).set(Layer.MEMBER, MEMBER, {"count": 2})
    await Defaults(database).set(Layer.SERVER, MEMBER, {"count": 3})  # a server with the same id is not the member
    assert await reports.add("A" * 20, MEMBER, SERVER) == 1
    assert await reports.add("A" * 20, MEMBER, SERVER) == 0
    assert await reports.add("A" * 20, OTHER, SERVER) == 2
    await Remixing(database).set(MEMBER, is_allowed=False)
    await policies.block_member(SERVER, MEMBER)
    await audit.write(AuditEntry(guild_id=SERVER, actor_id=OTHER, action="member_blocked", member_id=MEMBER))
    await audit.write(AuditEntry(guild_id=SERVER, actor_id=MEMBER, action="policy_set"))
    remix = make_job(requester_id=OTHER, input_owner_id=MEMBER)
    await Jobs(database).accept(remix)
    expected = dict.fromkeys(Kind, 1) | {Kind.REQUESTS: 0, Kind.ACTS: 2}
    assert await data.count(MEMBER) == expected

    client: Any = SimpleNamespace(
        jobs=Jobs(database),
        reports=reports,
        defaults=Defaults(database),
        remixing=Remixing(database),
        forms=OpenForms(),
    )
    assert await DataDeletion(client, database).delete_member_data(MEMBER) == 0
    gone = dict.fromkeys((Kind.PREFERENCES, Kind.REPORTS, Kind.REMIXING, Kind.REMIXED), 0)
    assert await data.count(MEMBER) == expected | gone
    left = await Jobs(database).get(remix.job_id)
    assert left is not None
    assert Source(parent=left).owner_id != OTHER  # or "Before/after" under its repetition would show it to everyone
    assert (await data.count(OTHER))[Kind.REPORTS] == 1
    defaults = Defaults(database)
    await defaults.load()
    assert defaults.of(Layer.SERVER, MEMBER) == {"count": 3}


async def test_a_place_is_purged_when_it_has_been_gone_for_long(database: Database, tmp_path: Path) -> None:
    jobs, policies, places, defaults = Jobs(database), Policies(database), GonePlaces(database), Defaults(database)
    channel, stays = SERVER + 1, SERVER + 2
    for guild_id in (SERVER, stays):
        await jobs.accept(make_job(guild_id=guild_id, requester_id=MEMBER, prompt=f"{SECRET} of {guild_id}"))
        await policies.set_policy(guild_id, block_score=0.5)
        await policies.block_member(guild_id, MEMBER)
        await policies.add_term(guild_id, f"{SECRET} of {guild_id}")
        await policies.block_picture(guild_id, "0" * 64, None)
        await Reports(database).add("A" * 19 + str(guild_id % 10), MEMBER, guild_id)
        await Audit(database).write(AuditEntry(guild_id=guild_id, actor_id=MEMBER, action="policy_set"))
        await defaults.set(Layer.SERVER, guild_id, {"count": 2})
    await jobs.accept(make_job(guild_id=None, requester_id=MEMBER))
    await defaults.set(Layer.CHANNEL, channel, {"count": 2})
    await defaults.set(Layer.MEMBER, MEMBER, {"count": 2})

    await places.note({SERVER, channel, stays}, now=0)
    assert await places.purge(10**10) == 0
    await places.note({stays}, now=100)
    await places.note({SERVER, stays}, now=200)  # the server is back
    await places.note({stays}, now=300)
    assert await places.purge(gone_before=200) == 1  # only the channel has been gone for that long
    assert await places.purge(gone_before=300.5) == 8
    await database.empty_log()
    left = bytes_of(tmp_path)
    assert f"{SECRET} of {SERVER}".encode() not in left
    assert f"{SECRET} of {stays}".encode() in left
    await policies.load()
    await defaults.load()
    assert policies.of(SERVER) == DEFAULT_POLICY
    assert policies.of(stays).block_score == 0.5
    assert policies.is_blocked(stays, MEMBER)
    assert defaults.of(Layer.MEMBER, MEMBER)
    assert len(await jobs.unsettled()) == 2


async def test_the_trail_and_reports_are_forgotten_in_time(database: Database) -> None:
    audit, reports = Audit(database), Reports(database)
    await audit.write(AuditEntry(guild_id=SERVER, actor_id=None, action="result_blocked", job_id="A" * 20))
    await reports.add("A" * 20, MEMBER, SERVER)
    await audit.forget_before(time.time() - 60)
    await reports.forget_before(time.time() - 60)
    assert len(await audit.newest(SERVER, 5)) == len(await reports.open(SERVER, 5)) == 1
    await audit.forget_before(time.time() + 60)
    await reports.forget_before(time.time() + 60)
    assert await audit.newest(SERVER, 5) == await reports.open(SERVER, 5) == []


async def test_what_the_bot_cannot_see_any_more_is_purged_and_forgotten_in_memory(database: Database) -> None:
    policies, defaults = Policies(database), Defaults(database)
    await policies.set_policy(SERVER, block_score=0.5)
    await defaults.set(Layer.CHANNEL, SERVER + 1, {"count": 2})
    seen = SimpleNamespace(id=SERVER, channels=[SimpleNamespace(id=SERVER + 1)], threads=[], unavailable=False)
    client: Any = SimpleNamespace(
        audit=Audit(database),
        reports=Reports(database),
        guilds=[seen],
        is_ready=lambda: True,
        load_decisions=policies.load,
    )
    deletion = DataDeletion(client, database)
    await deletion.sweep()
    seen.unavailable = True  # an outage is not a removal
    seen.channels = []
    await deletion.sweep()
    assert await gone_places(database) == set()

    seen.unavailable = False
    await deletion.sweep()
    assert await gone_places(database) == {SERVER + 1}
    client.guilds = []
    await deletion.sweep()
    assert await gone_places(database) == {SERVER, SERVER + 1}
    long_ago = time.time() - 31 * 86_400
    await database.run(lambda connection: connection.execute("UPDATE gone_places SET gone_at = ?", (long_ago,)))
    assert policies.of(SERVER).block_score == 0.5
    await deletion.sweep()
    assert policies.of(SERVER) == DEFAULT_POLICY
    await deletion.sweep()
    assert await gone_places(database) == set()


async def test_what_a_killed_backup_has_left_goes(database: Database, tmp_path: Path) -> None:
    left, under_way = tmp_path / ".backup-1", tmp_path / ".restore-2"
    for folder in (left, under_way):
        folder.mkdir()
        (folder / "whole.tar").write_text(SECRET)
    os.utime(left, (0, 0))
    client: Any = SimpleNamespace(audit=Audit(database), reports=Reports(database), is_ready=lambda: False)
    await DataDeletion(client, database).sweep()
    assert [folder.exists() for folder in (left, under_way)] == [False, True]


async def test_a_status_message_that_discord_did_not_let_go_is_known_until_its_row_is_deleted(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(database)
    job = make_job(requester_id=MEMBER, status_message_id=7)
    await jobs.accept(job)
    await jobs.fail(job.job_id, "internal", "", {})
    is_down = True
    deleted: list[int] = []

    async def delete(message_id: int) -> None:
        if is_down:
            raise OSError("Discord is out of reach")
        deleted.append(message_id)

    async def nothing(*_: object) -> None:
        if is_down:
            raise StorageTrouble("and the bot ends")

    def partial_message(message_id: int) -> SimpleNamespace:
        return SimpleNamespace(delete=lambda: delete(message_id))

    channel = SimpleNamespace(get_partial_message=partial_message)
    client: Any = SimpleNamespace(
        jobs=jobs,
        reports=Reports(database),
        spool=Spool(tmp_path / "spool"),
        desk=SimpleNamespace(delete=nothing),
        get_partial_messageable=lambda *_, **__: channel,
        forms=OpenForms(),
        get_guild=lambda _: None,  # Discord has not yet said which servers there are
        audit=Audit(database),
        is_ready=lambda: False,
    )
    with pytest.raises(StorageTrouble):
        await DataDeletion(client, database).delete_requests(MEMBER)
    is_down = False
    await DataDeletion(client, database).sweep()
    assert deleted == [7]
    assert await jobs.get(job.job_id) is None


async def gone_places(database: Database) -> set[int]:
    rows = await database.run(lambda connection: connection.execute("SELECT place_id FROM gone_places").fetchall())
    return {row[0] for row in rows}


async def test_whom_the_operator_blocks_stays_blocked_though_everywhere_is_no_server(database: Database) -> None:
    policies, places = Policies(database), GonePlaces(database)
    await policies.block_member(EVERYWHERE, MEMBER)
    await policies.block_member(SERVER, MEMBER)
    await places.note([], now=0)
    assert await places.purge(gone_before=1) == 1
    await policies.load()
    assert policies.is_blocked(EVERYWHERE, MEMBER)
    assert not policies.is_blocked(SERVER, MEMBER)
