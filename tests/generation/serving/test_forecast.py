"""Waiting times when several jobs run concurrently."""

from generation.serving.forecast import Turn, forecast
from generation.serving.queue import FairQueue, Ticket


def ticket(name: str, seconds: float) -> Ticket:
    """Make the ticket of a job named after its owner, whose duration equals its cost."""
    return Ticket(job_id=name, owner=name[0], group="g", cost=seconds)


def turns_of(
    *waiting: Ticket, running: tuple[Ticket, ...] = (), slots: int, at_most: int | None = None, unknown: str = ""
) -> list[Turn]:
    queue = FairQueue()
    for each in waiting:
        queue.push(each)

    def seconds(each: Ticket) -> float | None:
        return None if each.job_id == unknown else each.cost

    return forecast(queue, running, slots=slots, seconds_left=seconds, seconds=seconds, max_running_per_owner=at_most)


def turn(job_id: str, ahead: int, seconds: float | None) -> Turn:
    return Turn(job_id=job_id, ahead=ahead, seconds=seconds)


def test_one_after_the_other() -> None:
    turns = turns_of(ticket("b1", 2), ticket("c1", 5), running=(ticket("a1", 3),), slots=1)
    assert turns == [turn("b1", 1, 5), turn("c1", 2, 10)]


def test_side_by_side_they_share_the_device() -> None:
    turns = turns_of(
        ticket("c1", 4), ticket("d1", 1), ticket("e1", 1), running=(ticket("a1", 10), ticket("b1", 2)), slots=2
    )
    # b1 ends at 4, when a1 has 8 left; c1 at 12, when a1 has 4 left; then d1 and e1 in the same slot.
    assert turns == [turn("c1", 1, 12), turn("d1", 2, 14), turn("e1", 3, 16)]


def test_who_is_left_alone_is_quicker() -> None:
    turns = turns_of(ticket("b1", 6), running=(ticket("a1", 2),), slots=2)
    assert turns == [turn("b1", 0, 8)]  # shared until 4, then alone with 4 left


def test_together_they_take_as_long_as_one_after_the_other() -> None:
    waiting = [ticket(f"{name}1", 3) for name in "abcdefgh"]
    for slots in (1, 3, 8):
        assert max(each.seconds or 0 for each in turns_of(*waiting, slots=slots)) == 24


def test_a_member_at_the_limit_lets_others_by() -> None:
    turns = turns_of(ticket("a2", 1), ticket("a3", 1), ticket("b1", 4), running=(ticket("a1", 10),), slots=2, at_most=1)
    assert turns == [turn("b1", 0, 8), turn("a2", 2, 15), turn("a3", 3, 16)]


def test_what_was_never_measured_makes_only_those_behind_it_uncertain() -> None:
    running = (ticket("a1", 3), ticket("b1", 3))
    turns = turns_of(ticket("c1", 2), ticket("d1", 2), running=running, slots=2, unknown="a1")
    assert turns == [turn("c1", 1, 10), turn("d1", 2, 14)]
    turns = turns_of(ticket("c1", 2), ticket("d1", 2), running=running[:1], slots=1, unknown="a1")
    assert turns == [turn("c1", 1, None), turn("d1", 2, None)]


def test_what_runs_alone_comes_when_everything_before_it_is_over() -> None:
    queue = FairQueue()
    queue.push(ticket("b1", 4))
    turns = forecast(
        queue,
        [ticket("a1", 3)],
        slots=2,
        seconds_left=lambda each: each.cost,
        seconds=lambda each: each.cost,
        afterwards=[ticket("c1", 5), ticket("d1", 1)],
    )
    assert turns == [turn("b1", 0, 7), turn("c1", 2, 12), turn("d1", 3, 13)]
