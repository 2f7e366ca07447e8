"""Invalid requests count for ten minutes; the bot holds back long before Discord would ban it."""

import pytest

from bot.monitoring.invalid_requests import DISCORD_LIMIT, SILENT_AT, SPARING_AT, InvalidRequests, Restraint
from bot.monitoring.metrics import Metrics
from tests.clock import Clock


def test_the_more_are_refused_the_more_is_left_out_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    requests = InvalidRequests(clock=clock)
    seen: list[Restraint] = []
    for _ in range(SILENT_AT + 50):
        requests.note()
        seen.append(requests.restraint)
    assert [seen.count(restraint) for restraint in Restraint] == [SPARING_AT - 1, SILENT_AT - SPARING_AT, 51]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"{SILENT_AT} requests" in caplog.text
    clock.now += 599
    requests.note()
    assert (requests.recent, requests.restraint) == (SILENT_AT + 51, Restraint.SILENT)
    clock.now += 1
    assert (requests.recent, requests.restraint) == (1, Restraint.NONE)  # they leave the window one by one
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    for _ in range(SILENT_AT):
        requests.note()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO", "ERROR"]


def test_memory_is_bounded_and_the_alarm_is_far_below_the_limit() -> None:
    requests = InvalidRequests(clock=Clock())
    for _ in range(2 * DISCORD_LIMIT):
        requests.note()
    assert requests.recent == DISCORD_LIMIT
    assert SILENT_AT <= DISCORD_LIMIT / 10


def test_only_what_counts_for_discord_counts() -> None:
    metrics = Metrics()
    for status in (200, 401, 403, 404, 429, 502, None):
        metrics.answered(status)
    metrics.answered(429, is_shared_limit=True)
    assert metrics.recent_invalid_requests.recent == 3
    assert metrics.registry.get_sample_value("palimpsest_discord_invalid_requests_recent") == 3
