"""When a failing generation process is left to rest, and for how long."""

from generation.serving.breaker import CircuitBreaker
from tests.clock import Clock


def made(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(
        max_losses=3, window_seconds=100, first_rest_seconds=30, longest_rest_seconds=100, clock=clock
    )


def test_few_losses_or_seldom_ones_change_nothing() -> None:
    clock = Clock()
    breaker = made(clock)
    for _ in range(10):
        breaker.lost()
        clock.now += 51
    assert breaker.seconds_left == 0
    assert not breaker.is_probing


def test_it_rests_longer_each_time_until_a_job_succeeds() -> None:
    clock = Clock()
    breaker = made(clock)
    for _ in range(3):
        breaker.lost()
    rests = []
    for _ in range(4):
        rests.append(breaker.seconds_left)
        assert not breaker.is_probing
        clock.now += breaker.seconds_left
        assert breaker.is_probing
        breaker.lost()  # one is enough now
    assert rests == [30, 60, 100, 100]
    breaker.succeeded()
    assert breaker.seconds_left == 0
    breaker.lost()
    breaker.lost()
    assert breaker.seconds_left == 0
    breaker.lost()
    assert breaker.seconds_left == 30


def test_losses_in_several_slots_at_once_are_one_rest() -> None:
    clock = Clock()
    breaker = made(clock)
    for _ in range(6):
        breaker.lost()
    assert breaker.seconds_left == 30


def test_a_process_that_does_not_start_rests_at_once() -> None:
    breaker = made(Clock())
    breaker.rest()
    assert breaker.seconds_left == 30
