"""Who is next."""

import pytest

from generation.queue import FairQueue, Ticket


def ticket(name: str) -> Ticket:
    """Make the ticket of a job called after its owner: ``a1`` is the first job of ``a``."""
    return Ticket(job_id=name, owner=name[0], group="g")


def queue_of(*names: str) -> FairQueue:
    queue = FairQueue()
    for name in names:
        queue.push(ticket(name))
    return queue


def served(queue: FairQueue) -> list[str]:
    return [queue.pop().job_id for _ in range(len(queue))]


def test_owners_take_turns_and_keep_their_own_order() -> None:
    assert served(queue_of("a1", "a2", "a3", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_announced_order_is_the_one_that_happens() -> None:
    queue = queue_of("a1", "b1", "a2", "c1", "b2", "a3")
    queue.pop()
    announced = [waiting.job_id for waiting in queue.order()]
    assert [queue.position(name) for name in announced] == list(range(5))
    assert served(queue) == announced


def test_a_newcomer_never_waits_for_more_than_one_job_of_a_busy_owner() -> None:
    queue = queue_of(*(f"a{number}" for number in range(50)))
    queue.pop()
    queue.push(ticket("b1"))
    assert queue.position("b1") == 0  # the turn that a has just had counts


def test_a_ticket_can_leave() -> None:
    queue = queue_of("a1", "a2", "b1")
    assert "a1" in queue
    assert queue.remove("a1") == ticket("a1")
    assert queue.remove("a1") is None
    assert queue.remove("b1") == ticket("b1")
    assert queue.position("b1") is None
    assert served(queue) == ["a2"]


def test_an_empty_queue_says_so() -> None:
    with pytest.raises(IndexError):
        FairQueue().pop()
