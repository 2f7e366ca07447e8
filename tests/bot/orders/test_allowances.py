"""Cooldowns and budgets: the most generous role counts, a used budget returns after a day, and refusals say when."""

import asyncio
from pathlib import Path

import pytest

from bot.display.queue import queue_text
from bot.errors import Refused
from bot.jobs.estimates import Estimates
from bot.orders.allowances import DAY_SECONDS, NO_LIMIT, Allowance, Allowances, Budget, allowance_of
from bot.orders.origin import Origin
from bot.orders.tables import budget_used
from bot.replies import error_sentence
from bot.storage.database import Database
from bot.storage.defaults import Layer
from bot.storage.jobs import Jobs
from bot.storage.role_limits import RoleLimit, RoleLimits
from tests.bot.jobs_made import PICTURE, make_job, make_origin

NOW = 1_800_000_000.0
SERVER, EVERYONE, BOOSTER = 2, 2, 77


def origin(guild_id: int | None = SERVER, *role_ids: int) -> Origin:
    return make_origin(guild_id=guild_id, role_ids=role_ids or (EVERYONE,))


class Desk:
    """A database with jobs that member 1 has requested."""

    def __init__(self, database: Database) -> None:
        self.jobs = Jobs(database)
        self.limits = RoleLimits(database)
        self.estimates = Estimates(self.jobs)

    async def painted(self, seconds: float, *, hours_ago: float, guild_id: int | None = SERVER) -> None:
        job = make_job(guild_id=guild_id, accepted_at=NOW - hours_ago * 3600)
        await self.jobs.accept(job)
        await self.jobs.enqueue(job.job_id, "")
        await self.jobs.begin(job.job_id, 1)
        await self.jobs.render(job.job_id, [PICTURE], seconds)

    async def refusal(self, origin: Origin, operator: Allowance = NO_LIMIT) -> Refused | None:
        allowances = Allowances(self.jobs, self.limits, self.estimates, operator, clock=lambda: NOW)
        try:
            await allowances.require(origin)
        except Refused as refused:
            return refused
        return None


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_of_several_roles_the_most_generous_counts_for_each_number() -> None:
    limits = {
        EVERYONE: RoleLimit(cooldown_seconds=60, daily_budget_seconds=100),
        BOOSTER: RoleLimit(cooldown_seconds=10, daily_budget_seconds=50),
        5: RoleLimit(daily_budget_seconds=0),
    }
    assert allowance_of(limits, (EVERYONE,)) == Allowance(60, 100)
    assert allowance_of(limits, (EVERYONE, BOOSTER)) == Allowance(10, 100)
    assert allowance_of(limits, (EVERYONE, BOOSTER, 5)) == Allowance(10, 0)  # 0 means no limit
    assert allowance_of(limits, (99,)) == NO_LIMIT


async def test_what_is_set_survives_a_restart_and_is_forgotten_on_request(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:
        limits = RoleLimits(database)
        await limits.set(SERVER, BOOSTER, cooldown_seconds=5)
        await limits.set(SERVER, BOOSTER, daily_budget_seconds=0)
    async with Database(tmp_path) as database:
        limits = RoleLimits(database)
        await limits.load()
        assert limits.of(SERVER) == {BOOSTER: RoleLimit(cooldown_seconds=5, daily_budget_seconds=0)}
        assert limits.of(None) == {}
        await limits.reset(SERVER, BOOSTER)
        await limits.load()
        assert limits.of(SERVER) == {}


async def test_moderators_who_set_in_the_same_instant_keep_what_each_has_set(desk: Desk) -> None:
    await asyncio.gather(
        desk.limits.set(SERVER, BOOSTER, cooldown_seconds=5), desk.limits.set(SERVER, BOOSTER, daily_budget_seconds=9)
    )
    for _ in ("in memory", "in the database"):
        assert desk.limits.of(SERVER) == {BOOSTER: RoleLimit(cooldown_seconds=5, daily_budget_seconds=9)}
        await desk.limits.load()


async def test_a_pause_between_two_requests(desk: Desk) -> None:
    await desk.limits.set(SERVER, EVERYONE, cooldown_seconds=60)
    assert await desk.refusal(origin()) is None
    await desk.jobs.accept(make_job(accepted_at=NOW - 20))
    refused = await desk.refusal(origin())
    assert refused is not None
    assert (refused.reason, refused.data["until"]) == ("cooldown", NOW + 40)
    assert error_sentence(refused) == (
        f"You have to wait between requests (set for this server). You can ask again <t:{int(NOW) + 40}:R>."
    )
    assert await desk.refusal(origin(9)) is None  # another server
    with pytest.raises(Refused):  # the other request's row does not exist yet
        await Allowances(desk.jobs, desk.limits, desk.estimates, Allowance(5, 0), clock=lambda: NOW).require(
            origin(None), is_asking=True
        )


async def test_a_request_that_came_to_nothing_costs_no_pause(desk: Desk) -> None:
    await desk.limits.set(SERVER, EVERYONE, cooldown_seconds=60)
    job = make_job(accepted_at=NOW - 20)
    await desk.jobs.accept(job)
    await desk.jobs.fail(job.job_id, "no_picture", "", {})
    assert await desk.refusal(origin()) is None


async def test_a_spent_budget_says_when_there_is_enough_again(desk: Desk) -> None:
    await desk.limits.set(SERVER, EVERYONE, daily_budget_seconds=100)
    await desk.painted(70, hours_ago=25)
    await desk.painted(10, hours_ago=20)
    await desk.painted(60, hours_ago=10)
    assert await desk.refusal(origin()) is None
    await desk.painted(45, hours_ago=2)
    refused = await desk.refusal(origin())
    assert refused is not None
    assert (refused.reason, refused.data["until"]) == ("budget_spent", NOW - 10 * 3600 + DAY_SECONDS)
    sentence = error_sentence(refused)
    assert sentence is not None
    assert "used up your 100 s of painting time for 24 hours (set for this server)" in sentence


async def test_what_waits_is_counted_with_what_it_should_take(desk: Desk) -> None:
    desk.estimates.learn(make_job(seconds=60.0))
    await desk.limits.set(SERVER, EVERYONE, daily_budget_seconds=100)
    await desk.jobs.accept(make_job(accepted_at=NOW - 2))
    assert await desk.refusal(origin()) is None
    cancelled = make_job(accepted_at=NOW - 1)
    await desk.jobs.accept(cancelled)
    assert (await desk.refusal(origin())) is not None
    await desk.jobs.cancel(cancelled.job_id)
    assert await desk.refusal(origin()) is None


async def test_cancelling_at_the_last_step_is_no_way_round_a_budget(desk: Desk, database: Database) -> None:
    desk.estimates.learn(make_job(seconds=60.0))
    await desk.limits.set(SERVER, EVERYONE, daily_budget_seconds=100)
    moment = NOW - 3600
    jobs = Jobs(database, clock=lambda: moment)
    for seconds in (40.0, 500.0):  # the second one ran side by side with others
        assert await desk.refusal(origin()) is None
        job = make_job(accepted_at=moment)
        await jobs.accept(job)
        await jobs.enqueue(job.job_id, "")
        await jobs.begin(job.job_id, 1)
        moment += seconds
        await jobs.cancel(job.job_id)
    assert (await desk.refusal(origin())) is not None
    allowances = Allowances(desk.jobs, desk.limits, desk.estimates, NO_LIMIT, clock=lambda: NOW)
    assert await allowances.budgets(origin()) == [Budget(Layer.SERVER, 100, 100)]


async def test_the_operators_budget_counts_everywhere_and_no_server_can_lift_it(desk: Desk) -> None:
    await desk.limits.set(SERVER, EVERYONE, cooldown_seconds=0, daily_budget_seconds=0)
    await desk.painted(60, hours_ago=3, guild_id=9)
    await desk.painted(60, hours_ago=2, guild_id=None)
    refused = await desk.refusal(origin(), Allowance(0, 100))
    assert refused is not None
    assert refused.data["layer"] == "operator"
    assert await desk.refusal(origin(), Allowance(0, 200)) is None


async def test_a_member_can_see_what_is_used(desk: Desk) -> None:
    await desk.painted(30, hours_ago=3)
    await desk.painted(60, hours_ago=2, guild_id=None)
    await desk.limits.set(SERVER, EVERYONE, cooldown_seconds=5, daily_budget_seconds=100)
    allowances = Allowances(desk.jobs, desk.limits, desk.estimates, Allowance(0, 500), clock=lambda: NOW)
    budgets = await allowances.budgets(origin())
    assert budgets == [Budget(Layer.OPERATOR, 90, 500), Budget(Layer.SERVER, 30, 100)]
    text = queue_text([], [], 1, [budget_used(budget) for budget in budgets], is_paused=False)
    assert "You've used 30 of your 100 s of painting time for 24 hours (set for this server)" in text
    assert "right away" in text
    refused = await desk.refusal(origin(), Allowance(3 * 3600, 0))
    text = queue_text([], [], 1, [budget_used(budget) for budget in budgets], refused=refused, is_paused=False)
    assert "right away" not in text
    assert (
        f"You have to wait between requests (set by the operator). You can ask again <t:{round(NOW) + 3600}:R>." in text
    )


async def test_a_clock_that_was_set_back_costs_nobody_more_than_the_pause_and_the_day(desk: Desk) -> None:
    await desk.painted(100, hours_ago=-1)  # an hour in the future
    cooling = await desk.refusal(origin(), Allowance(60, 0))
    assert cooling is not None
    assert cooling.data["until"] <= NOW + 61
    spent = await desk.refusal(origin(), Allowance(0, 50))
    assert spent is not None
    assert spent.data["until"] <= NOW + DAY_SECONDS + 1


@pytest.mark.parametrize(
    ("said", "may"),
    [
        ({}, True),
        ({EVERYONE: False}, False),
        ({EVERYONE: False, BOOSTER: True}, True),
        ({EVERYONE: None, BOOSTER: False}, False),
        ({EVERYONE: True, BOOSTER: False}, True),
        ({99: True, EVERYONE: False}, False),
    ],
)
async def test_one_role_that_may_ask_is_enough(desk: Desk, said: dict[int, bool | None], may: bool) -> None:
    for role_id, may_ask in said.items():
        values = {"cooldown_seconds": 0} if may_ask is None else {"may_ask": may_ask}
        await desk.limits.set(SERVER, role_id, **values)
    await desk.limits.load()
    refused = await desk.refusal(origin(SERVER, EVERYONE, BOOSTER))
    assert (refused and refused.reason) == (None if may else "role_not_allowed")
    assert await desk.refusal(origin(None)) is None


async def test_what_takes_the_place_of_a_request_is_not_kept_waiting_by_it(desk: Desk) -> None:
    replaced = make_job(accepted_at=NOW - 10)
    await desk.jobs.accept(replaced)
    allowances = Allowances(desk.jobs, desk.limits, desk.estimates, Allowance(60, 0), clock=lambda: NOW)
    await allowances.require(origin(), instead_of=replaced)
    with pytest.raises(Refused, match="cooldown"):
        await allowances.require(origin())
