"""Who may begin after a loss, as far as a whole service shows it only when things come at odd moments."""

from generation.breaker import CircuitBreaker
from generation.recovery import Recovery


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
    recovery.over("one")
    assert recovery.may_begin("two", {"two"})
    recovery.over("two")
    assert recovery.slots(4) == 4
