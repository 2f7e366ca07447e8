"""Who may begin after a loss, in orderings that a whole service shows only by chance."""

from generation.events import Failed, FailureKind
from generation.serving.breaker import CircuitBreaker
from generation.serving.recovery import Recovery
from tests.clock import Clock


async def test_whoever_is_tried_again_waits_for_whatever_had_a_slot_already() -> None:
    recovery = Recovery(CircuitBreaker(), lambda: None)
    recovery.begin_again("lost")
    assert recovery.slots(4) == 0
    assert recovery.may_begin("new", {"lost", "new"})
    assert not recovery.may_begin("lost", {"lost", "new"})
    assert recovery.may_begin("lost", {"lost"})


async def test_those_who_were_lost_together_take_turns() -> None:
    recovery = Recovery(CircuitBreaker(), lambda: None)
    for job_id in ("one", "two"):
        recovery.begin_again(job_id)
    assert [recovery.may_begin(job_id, {"two", "one"}) for job_id in ("one", "two")] == [True, False]
    recovery.forget("one")
    assert recovery.may_begin("two", {"two"})
    recovery.forget("two")
    assert recovery.slots(4) == 4


async def test_after_a_rest_one_of_those_that_have_a_slot_shows_whether_it_has_helped() -> None:
    clock = Clock()
    recovery = Recovery(CircuitBreaker(first_rest_seconds=30.0, clock=clock), lambda: None)
    both = {"one", "two"}
    losses = [recovery.begin(job_id) for job_id in sorted(both)]
    for job_id, loss in zip(sorted(both), losses, strict=True):
        recovery.lost(Failed(job_id=job_id, attempt=1, kind=FailureKind.EXECUTOR_UNAVAILABLE), loss)
    assert not any(recovery.may_begin(job_id, both) for job_id in both)

    clock.now = 30.0
    assert all(recovery.may_begin(job_id, both) for job_id in both)
    recovery.begin("one")
    assert not recovery.may_begin("two", both)
    recovery.forget("one")  # cancelled, which proves nothing
    assert recovery.may_begin("two", {"two"})
    recovery.begin("two")
    assert not recovery.may_begin("three", {"two", "three"})
    recovery.succeeded()
    assert recovery.may_begin("three", {"two", "three"})
