"""Every prompt and picture is checked, by the real classifier; whatever cannot be checked is refused."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.errors import Refused
from bot.replies import refusal_sentence
from bot.screening.screening import Screening
from bot.storage.database import Database
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.policies import EVERYWHERE, Policies
from bot.storage.remixing import Remixing
from generation.safety.checker import PictureChecker
from generation.safety.prompt import check_prompt
from generation.safety.verdict import Label, Verdict
from tests.bot.jobs_made import make_job
from tests.pictures import encoded, flesh, photo

SERVER, OPEN, RESTRICTED = 2, 30, 31
FLESH, PLAIN = encoded(flesh(), "PNG"), encoded(photo(), "PNG")


class Place(NamedTuple):
    screening: Screening
    policies: Policies
    remixing: Remixing
    jobs: Jobs
    noted: list[tuple[str, str]]

    async def taken(self, **changes: object) -> Job:
        job = make_job(**{"guild_id": SERVER, "channel_id": OPEN, **changes})  # type: ignore[arg-type]
        await self.jobs.accept(job)
        return job

    async def is_hidden(self, job: Job) -> bool:
        stored = await self.jobs.get(job.job_id)
        assert stored is not None
        return stored.spoiler


async def known_at_once() -> None:
    """Return at once: the servers are known."""


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[PictureChecker]:
    async with PictureChecker(deadline_seconds=120) as checker:
        yield checker


@pytest.fixture
def place(database: Database, checker: PictureChecker) -> Place:
    policies, remixing, jobs = Policies(database), Remixing(database), Jobs(database)
    noted: list[tuple[str, str]] = []
    screening = Screening(
        checker,
        policies,
        remixing,
        jobs,
        lambda _, channel_id: channel_id == RESTRICTED,
        lambda job, what, _: noted.append((job.job_id, what)),
        known_at_once,
    )
    return Place(screening, policies, remixing, jobs, noted)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def reason_of(refused: pytest.ExceptionInfo[Refused]) -> str:
    assert refusal_sentence(refused.value.reason, refused.value.data).endswith(".")
    return refused.value.reason


async def test_a_harmless_picture_passes_unnoted(place: Place) -> None:
    job = await place.taken()
    place.screening.require_allowed_prompt(job)
    await place.screening.screen_input(job, PLAIN, sha256(PLAIN))
    await place.screening.screen_result(job, [PLAIN, PLAIN])
    assert not await place.is_hidden(job)
    assert place.noted == []


async def test_a_picture_is_blocked_hidden_or_shown_by_policy_and_place(place: Place) -> None:
    outside, inside, message = (
        await place.taken(),
        await place.taken(channel_id=RESTRICTED),
        await place.taken(guild_id=None),
    )
    for job in (outside, message):
        with pytest.raises(Refused) as refused:
            await place.screening.screen_input(job, FLESH, sha256(FLESH))
        assert reason_of(refused) == "input_blocked"
        with pytest.raises(Refused) as refused:
            await place.screening.screen_result(job, [PLAIN, FLESH])
        assert reason_of(refused) == "result_blocked"
    await place.screening.screen_result(inside, [PLAIN, FLESH])
    assert await place.is_hidden(inside)
    assert place.noted[-1] == (inside.job_id, "result_hidden")

    await place.policies.set_policy(SERVER, restricted_spoiler_score=1.0, block_score=0.99)
    shown = await place.taken(channel_id=RESTRICTED)
    await place.screening.screen_input(shown, FLESH, sha256(FLESH))
    assert not await place.is_hidden(shown)
    await place.screening.screen_input(outside, FLESH, sha256(FLESH))
    assert await place.is_hidden(outside)


async def test_a_preview_is_never_more_than_the_result_would_be(place: Place) -> None:
    admit = place.screening.admit_preview
    assert await admit(await place.taken(), PLAIN)
    assert not await admit(await place.taken(), FLESH)
    assert not await admit(await place.taken(channel_id=RESTRICTED), FLESH)
    assert await admit(await place.taken(channel_id=RESTRICTED, spoiler=True), FLESH)
    assert not await admit(await place.taken(), b"no picture")


async def test_words_are_refused_by_place_and_by_the_servers_list(place: Place) -> None:
    place.screening.require_allowed_prompt(await place.taken(prompt="a nude person", channel_id=RESTRICTED))
    await place.policies.add_term(SERVER, "pickle")
    for prompt, expected in (
        ("a nude person", "words_sexual"),
        ("two PICKLES", "words_not_wanted"),
        ("a nude child", "words_forbidden"),
    ):
        job = await place.taken(prompt=prompt)
        with pytest.raises(Refused) as refused:
            place.screening.require_allowed_prompt(job)
        assert reason_of(refused) == expected
        assert place.noted[-1] == (job.job_id, expected)
    place.screening.require_allowed_prompt(await place.taken(prompt="two pickles", guild_id=SERVER + 1))


async def test_a_listed_picture_is_known_by_its_file_and_by_its_looks(place: Place) -> None:
    found = await place.screening._check(await place.taken(), PLAIN)
    await place.policies.block_picture(SERVER, sha256(b"another file"), found.perceptual_hash)
    smaller = encoded(photo().resize((64, 48)), "JPEG", quality=60)
    job = await place.taken()
    for look in (
        place.screening.screen_input(job, smaller, sha256(smaller)),
        place.screening.screen_input(job, FLESH, sha256(b"another file")),
        place.screening.screen_result(job, [smaller]),
    ):
        with pytest.raises(Refused) as refused:
            await look
        assert reason_of(refused) == "picture_listed"
    assert not await place.screening.admit_preview(job, smaller)
    elsewhere = await place.taken(guild_id=SERVER + 1)
    await place.screening.screen_input(elsewhere, smaller, sha256(smaller))
    assert await place.policies.unblock_picture(SERVER, sha256(b"another file"))
    await place.screening.screen_input(job, smaller, sha256(smaller))


async def test_without_a_verdict_nothing_passes_and_the_log_has_the_reference(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    job = await place.taken()
    with pytest.raises(Refused) as refused:
        await place.screening.screen_input(job, b"no picture", sha256(b""))
    assert reason_of(refused) == "check_failed"
    with pytest.raises(Refused) as refused:
        await place.screening.screen_result(job, [PLAIN, b"no picture"])
    assert reason_of(refused) == "check_failed"
    assert job.job_id in caplog.text


async def test_who_is_not_let_in(place: Place) -> None:
    await place.policies.block_member(SERVER, 7)
    await place.remixing.set(8, is_allowed=False)
    place.screening.require_not_excluded(7, SERVER + 1)
    place.screening.require_not_excluded(7, None, [9])
    place.screening.require_not_excluded(8, SERVER, [8, 9])
    for requester_id, owner_id, expected in ((7, 9, "member_blocked"), (9, 8, "remixing_off")):
        with pytest.raises(Refused) as refused:
            place.screening.require_not_excluded(requester_id, SERVER, [9, owner_id])
        assert reason_of(refused) == expected
    await place.policies.block_member(EVERYWHERE, 7)
    for guild_id in (SERVER, SERVER + 1, None):
        with pytest.raises(Refused) as refused:
            place.screening.require_not_excluded(7, guild_id)
        assert reason_of(refused) == "member_blocked_everywhere"
    assert await place.policies.unblock_member(EVERYWHERE, 7)
    assert await place.policies.unblock_member(SERVER, 7)
    await place.remixing.set(8, is_allowed=True)
    place.screening.require_not_excluded(7, SERVER, [8])


async def test_what_was_decided_survives_a_restart(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:
        policies, remixing = Policies(database), Remixing(database)
        await policies.set_policy(SERVER, block_score=0.7)
        await policies.set_log_channel(SERVER, 5)
        await policies.set_policy(SERVER, spoiler_score=0.5)
        await policies.block_member(SERVER, 7)
        await policies.add_term(SERVER, "pickle")
        await policies.block_picture(SERVER, "0" * 64, None)
        await remixing.set(8, is_allowed=False)
        before = [
            policies.of(SERVER),
            policies.log_channel_id(SERVER),
            policies.blocked_members(SERVER),
            policies.terms(SERVER),
            policies.pictures(SERVER),
        ]
    async with Database(tmp_path) as database:
        policies, remixing = Policies(database), Remixing(database)
        await policies.load()
        await remixing.load()
        after = [
            policies.of(SERVER),
            policies.log_channel_id(SERVER),
            policies.blocked_members(SERVER),
            policies.terms(SERVER),
            policies.pictures(SERVER),
        ]
        assert after == before
        assert (policies.of(SERVER).block_score, policies.of(SERVER).spoiler_score) == (0.7, 0.5)
        assert remixing.is_refused(8)


async def test_nothing_is_judged_before_it_is_known_where_it_is(place: Place, checker: PictureChecker) -> None:
    restricted: set[int] = set()

    async def discord_says() -> None:
        restricted.add(RESTRICTED)

    screening = Screening(
        checker,
        place.policies,
        place.remixing,
        place.jobs,
        lambda _, channel_id: channel_id in restricted,
        lambda *_: None,
        discord_says,
    )
    job = await place.taken(channel_id=RESTRICTED, prompt="a nude person")
    await screening.recheck_prompt(job)
    restricted.clear()
    await screening.screen_input(job, FLESH, sha256(FLESH))
    restricted.clear()
    await screening.screen_result(job, [FLESH])


async def test_words_that_are_listed_while_a_job_waits_are_not_painted(place: Place) -> None:
    job = await place.taken(prompt="a clown in the woods")
    place.screening.require_allowed_prompt(job)
    await place.policies.add_term(SERVER, "clown")
    with pytest.raises(Refused) as refused:
        await place.screening.recheck_prompt(job)
    assert reason_of(refused) == "words_not_wanted"


async def test_words_are_read_once_for_each_list(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading(prompt: str, *more: str, **options: Any) -> Verdict:
        read.append(prompt)
        return check_prompt(prompt, *more, **options)

    monkeypatch.setattr("bot.screening.screening.check_prompt", reading)
    monkeypatch.setattr("bot.screening.screening._MAX_REMEMBERED", 2)
    job = await place.taken(prompt="a fox")
    for _ in range(3):
        assert place.screening.prompt_verdict(job) == Verdict({})
    assert read == ["a fox"]
    await place.policies.add_term(SERVER, "fox")
    assert place.screening.prompt_verdict(job).has(Label.TERM)
    for _ in range(2):
        place.screening.prompt_verdict(await place.taken(prompt="a dog"))
    place.screening.prompt_verdict(job)
    assert read == ["a fox", "a fox", "a dog", "a dog", "a fox"]  # the oldest verdict was forgotten
