"""Rate limits for status edits, so that more important requests find room below Discord's limits."""

from bot.display.cards import Standing, Waiting
from bot.storage.job import Job

NEAR = 5  # this many jobs at the front of the queue are about to be generated
# Seconds between edits as parts of the interval: at an interval of 3 s the two together make at most 3 edits in 5 s;
# Discord was seen to allow 5 in a channel.
_NEAR_PART, _FAR_PART = 0.75, 2.0
_MAX_REMEMBERED = 1000


class Pace:
    """Keeps all status edits together below a rate; the rest of Discord's limit is for answers."""

    def __init__(self, max_per_second: float) -> None:
        self._gap_seconds = 1 / max_per_second
        self._free_at = float("-inf")

    def seconds_until_turn(self, now: float) -> float:
        """Reserve the next free moment and return how far away it is."""
        moment = max(now, self._free_at)
        self._free_at = moment + self._gap_seconds
        return moment - now


class ChannelPaces:
    """Keeps the edits in each channel below a rate: the library sends them in order, so final edits would come last.

    Jobs that are running or next do not wait for those far back in the queue.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._gaps_seconds = {False: _NEAR_PART * interval_seconds, True: _FAR_PART * interval_seconds}
        self._free_at: dict[tuple[int, bool], float] = {}

    def seconds_until_free(self, job: Job, standing: Standing, now: float) -> float:
        """Return how long an edit has to wait for earlier ones."""
        return max(0.0, self._free_at.get(_key(job, standing), now) - now)

    def take(self, job: Job, standing: Standing, now: float) -> None:
        """Record an edit."""
        if len(self._free_at) >= _MAX_REMEMBERED:
            self._free_at = {key: free_at for key, free_at in self._free_at.items() if free_at > now}
        key = _key(job, standing)
        self._free_at[key] = now + self._gaps_seconds[key[1]]


def _key(job: Job, standing: Standing) -> tuple[int, bool]:
    return job.channel_id, isinstance(standing, Waiting) and standing.ahead >= NEAR
