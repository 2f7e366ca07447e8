"""Whose turn is next."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from generation.serving.queue import FairQueue, Ticket


def ticket(name: str) -> Ticket:
    """Make the ticket of a job named after its owner: ``a1`` is the first job of ``a``."""
    return Ticket(job_id=name, owner=name[0], group="g")


def queue_of(*names: str) -> FairQueue:
    queue = FairQueue()
    for name in names:
        queue.push(ticket(name))
    return queue


def served_next(queue: FairQueue) -> Ticket:
    ticket = queue.pop()
    assert ticket is not None
    return ticket


def served(queue: FairQueue) -> list[str]:
    served_ids = []
    while (ticket := queue.pop()) is not None:
        served_ids.append(ticket.job_id)
    return served_ids


def test_owners_take_turns_and_keep_their_own_order() -> None:
    assert served(queue_of("a1", "a2", "a3", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_announced_order_is_the_one_that_happens() -> None:
    queue = queue_of("a1", "b1", "a2", "c1", "b2", "a3")
    queue.pop()
    announced = served(queue.copy())
    assert len(announced) == 5
    assert served(queue) == announced


def test_a_newcomer_never_waits_for_more_than_one_job_of_a_busy_owner() -> None:
    queue = queue_of(*(f"a{number}" for number in range(50)))
    queue.pop()
    queue.push(ticket("b1"))
    assert served_next(queue).job_id == "b1"  # the turn that a just had counts


@pytest.mark.parametrize("groups", [("g", "g"), ("g", "h")])
def test_fifty_jobs_of_one_member_never_stand_before_another_more_than_once(groups: tuple[str, str]) -> None:
    """``b`` requests again as soon as a picture is done, sometimes after a pause."""
    random = Random(5)
    queue = FairQueue()
    for number in range(50):
        queue.push(Ticket(job_id=f"a{number}", owner="a", group=groups[0], cost=3))
    waited = 0
    for number in range(20):
        for _ in range(random.choice((0, 0, 0, 1, 2))):
            queue.pop()
        queue.push(Ticket(job_id=f"b{number}", owner="b", group=groups[1], cost=3))
        before = 0
        while served_next(queue).owner == "a":
            before += 1
        waited = max(waited, before)
    assert waited == 1


SERVERS = {"one server": "ggggg", "each alone": "ghijk", "the crowd alone": "ghhhh", "two": "ggghh", "three": "gghhi"}


@pytest.mark.parametrize("servers", SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("seed", range(10))
def test_measurements_that_differ_do_not_add_up_to_a_second_job_before_another(
    servers: str, slots: int, seed: int
) -> None:
    """Similar jobs take nearly the same time; ``b`` to ``e`` request again as soon as a picture is done, or not."""
    random = Random(seed)
    queue = FairQueue()
    group_of = dict(zip("abcde", servers, strict=True))
    for number in range(50):
        queue.push(Ticket(job_id=f"a{number}", owner="a", group=group_of["a"]))
    away, before, running = set("bcde"), dict.fromkeys("bcde", 0), deque[Ticket]()
    for number in range(150):
        for owner in sorted(away):
            if random.random() < 0.6:
                queue.push(Ticket(job_id=f"{owner}{number}", owner=owner, group=group_of[owner]))
                before[owner] = 0
                away.remove(owner)
        running.append(served_next(queue))
        if running[-1].owner == "a":
            for owner in before.keys() - away - {job.owner for job in running}:
                before[owner] += 1
            assert max(before.values()) <= 1
        if len(running) == slots:
            done = running.popleft()
            queue.settle(done, random.uniform(0.6, 1.4))
            away |= {done.owner} - {"a"}


@pytest.mark.parametrize("of_owner", [lambda owner: "g", lambda owner: f"of {owner}"], ids=["one server", "each alone"])
def test_of_those_who_have_had_the_same_the_one_who_has_waited_longest_is_next(of_owner: Callable[[str], str]) -> None:
    """Everyone has one job at a time, and requests again in a different order once all have been served."""
    random = Random(7)
    queue, owners = FairQueue(), list("abcdef")
    queue.push(Ticket(job_id="busy1", owner="z", group=of_owner("z"), cost=5))
    queue.push(Ticket(job_id="busy2", owner="z", group=of_owner("z"), cost=5))
    queue.pop()
    for number in range(4):
        random.shuffle(owners)
        for owner in owners:
            queue.push(Ticket(job_id=f"{owner}{number}", owner=owner, group=of_owner(owner)))
        order = [served_next(queue) for _ in owners]
        assert [each.owner for each in order] == owners
        for each in order:
            queue.settle(each, each.cost)


def test_who_waits_is_no_later_for_an_estimate_that_was_wrong() -> None:
    """``a`` was expected to cost 5 but cost 1, like ``b``; since its last turn it has waited longer than ``b``."""
    queue = FairQueue()
    for name, cost in (("a1", 5.0), ("b1", 1.0), ("a2", 1.0), ("b2", 1.0), ("c1", 1.0)):
        queue.push(Ticket(job_id=name, owner=name[0], group="g", cost=cost))
    first, second = served_next(queue), served_next(queue)
    assert (first.job_id, second.job_id) == ("a1", "b1")
    queue.settle(first, 1.0)
    queue.settle(second, 1.0)
    assert served(queue) == ["c1", "a2", "b2"]


def test_estimates_that_were_wrong_are_made_good_when_the_cost_is_known() -> None:
    queue = FairQueue()
    costs = {"a": (8.0, 1.0), "b": (1.0, 3.0), "c": (3.0, 3.0)}  # estimated and actual cost of a job
    taken = dict.fromkeys(costs, 0.0)
    for number in range(200):
        for owner, (expected, _) in costs.items():
            queue.push(Ticket(job_id=f"{owner}{number}", owner=owner, group="g", cost=expected))
    for _ in range(200):
        served_now = served_next(queue)
        _, actual = costs[served_now.owner]
        queue.settle(served_now, actual)
        taken[served_now.owner] += actual
    assert max(taken.values()) - min(taken.values()) <= 2 * 3.0


def test_what_waits_is_charged_with_what_is_known_when_it_is_served() -> None:
    queue = queue_of("a1", "a2", "a3", "b1", "b2", "b3")
    queue.reprice(lambda waiting: 2.0 if waiting.owner == "a" else 1.0)
    assert served(queue) == ["a1", "b1", "b2", "a2", "b3", "a3"]


def test_a_ticket_can_leave() -> None:
    queue = queue_of("a1", "a2", "b1")
    queue.remove("a1")
    queue.remove("a1")  # it is gone already
    queue.remove("b1")
    assert served(queue) == ["a2"]


def test_what_is_served_is_counted_in_cost() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.push(Ticket(job_id=f"dear{number}", owner="a", group="g", cost=4))
    for number in range(12):
        queue.push(Ticket(job_id=f"cheap{number}", owner="b", group="g", cost=1))
    order = served(queue)
    assert order[:5] == ["dear0", "cheap0", "cheap1", "cheap2", "cheap3"]
    assert order.index("dear2") == 10  # after two expensive ones, eight cheap ones have had their turn


def test_a_lone_owner_of_a_small_group_does_not_wait_for_a_crowd_that_came_first() -> None:
    queue = FairQueue()
    for member in range(30):
        queue.push(Ticket(job_id=f"crowd{member}", owner=f"c{member}", group="crowd"))
    queue.push(Ticket(job_id="lone", owner="l", group="small"))
    assert served(queue).index("lone") == 1


def test_an_owner_in_several_groups_has_one_share() -> None:
    queue = FairQueue()
    for number in range(60):
        queue.push(Ticket(job_id=f"here{number}", owner="a", group="server"))
        queue.push(Ticket(job_id=f"there{number}", owner="a", group="direct"))
        queue.push(Ticket(job_id=f"b{number}", owner="b", group="server"))
    first = served(queue)[:60]
    assert sum(name.startswith("b") for name in first) == pytest.approx(30, abs=2)


def test_a_newcomer_does_not_pass_who_has_waited_longer_in_the_same_group() -> None:
    queue = FairQueue()
    for owner in "abc":
        queue.push(ticket(f"{owner}1"))
    queue.pop()
    queue.push(ticket("d1"))
    queue.push(Ticket(job_id="e1", owner="e", group="other"))
    assert served(queue) == ["e1", "b1", "c1", "d1"]


def test_blocked_owners_are_passed_over_and_lose_nothing() -> None:
    queue = queue_of("a1", "b1", "a2")
    assert queue.pop({"a"}) == ticket("b1")
    assert queue.pop({"a"}) is None
    assert served(queue) == ["a1", "a2"]


def serve_at_random(seed: int, *, slots: int, members: int, groups: int) -> dict[str, float]:
    """Return the seconds served to members who always had work waiting, while others came and went."""
    random = Random(seed)
    queue, running, numbers = FairQueue(), [], count()
    usual = {f"m{member}": random.choice((1.0, 2.0, 5.0, 12.0)) for member in range(members)}

    def add(owner: str) -> None:
        cost = usual[owner] * random.uniform(0.5, 2.0)
        group = f"g{int(owner[1:]) ** 2 % groups}"  # groups of unequal size
        queue.push(Ticket(job_id=f"{owner} {next(numbers)}", owner=owner, group=group, cost=cost))

    busy = list(usual)[: members // 2]
    for owner in busy:
        for _ in range(5):
            add(owner)
    seconds = dict.fromkeys(busy, 0.0)
    now = 0.0
    while now < 3000:
        if random.random() < 0.3:
            add(random.choice(list(usual)))  # the others, who have a job now and then
        while len(running) < slots and queue:
            next_ticket = served_next(queue)
            heapq.heappush(running, (now + next_ticket.cost, next_ticket.job_id))
            if next_ticket.owner in seconds:
                seconds[next_ticket.owner] += next_ticket.cost
                add(next_ticket.owner)  # always has more work waiting
        now, _ = heapq.heappop(running)
    return seconds


@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize("groups", [1, 5])
def test_members_who_always_have_work_get_the_same_seconds(slots: int, groups: int) -> None:
    """Jain, Chiu, Hawe 1984: (sum of x)² / (n · sum of x²) is 1 if all have the same."""
    for seed in range(3):
        shares = list(serve_at_random(seed, slots=slots, members=20, groups=groups).values())
        index = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
        assert index >= 0.95, shares


def of_model(name: str, model: str) -> Ticket:
    return Ticket(job_id=name, owner=name[0], group="g", model=model)


def test_who_wants_the_loaded_model_goes_first() -> None:
    queue = FairQueue()
    for name, model in (("a1", "x"), ("b1", "y"), ("c1", "x"), ("d1", "y"), ("e1", "x")):
        queue.push(of_model(name, model))
    assert served(queue) == ["a1", "c1", "e1", "b1", "d1"]


def test_a_crowd_of_the_loaded_model_does_not_pass_who_wants_another_twice() -> None:
    queue = FairQueue()
    for number in range(50):
        queue.push(of_model(f"a{number}", "x"))
    queue.pop()
    queue.push(of_model("b1", "y"))
    queue.push(of_model("c1", "x"))
    assert [name[0] for name in served(queue)[:5]] == ["c", "a", "b", "a", "a"]


@pytest.mark.parametrize("patience", [0, 1, 4])
def test_who_is_due_is_passed_over_a_few_times_and_no_more(patience: int) -> None:
    queue = FairQueue(patience)
    queue.push(of_model("a0", "x"))
    queue.pop()
    queue.push(of_model("b1", "y"))
    for number in range(20):
        queue.push(of_model(f"{'cdefghijkl'[number % 10]}{number}", "x"))
    before = 0
    while served_next(queue).model == "x":
        before += 1
    assert before == patience


def test_shares_are_fair_whatever_the_models_are() -> None:
    random = Random(3)
    queue = FairQueue()
    counts = dict.fromkeys("abcd", 0)
    for number in range(400):
        for owner in "abcd":
            queue.push(of_model(f"{owner}{number}", random.choice("xyz")))
    for _ in range(400):
        counts[served_next(queue).owner] += 1
    assert max(counts.values()) - min(counts.values()) <= 5
