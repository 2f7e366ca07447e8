"""A ladder: one picture and one seed at several strengths, from subtle to strong, so that one can be chosen by eye."""

from collections.abc import Sequence
from typing import Final

from generation.errors import InvalidRequest

LADDER: Final = "ladder"  # how it is called wherever a strength can be said

# Below 0.3 hardly anything changes, above 0.75 hardly anything of the picture is left. Between them steps of 0.15 can
# be told apart at a glance, and Discord shows four pictures as a square.
RUNGS: Final = (0.3, 0.45, 0.6, 0.75)


def rungs(count: int | None = None, *, highest: float = RUNGS[-1], max_count: int = len(RUNGS)) -> tuple[float, ...]:
    """Return the strengths of a ladder, rising: ``count`` of them, else as many of the usual ones as are allowed.

    No strength is above ``highest``, and without a ``count`` there are no more than ``max_count``. Where there are not
    as many as usual they are spread evenly. Raises InvalidRequest (``too_few_rungs``) if fewer than two are left.
    """
    usual = [rung for rung in RUNGS if rung <= highest]
    wanted = min(len(usual), max_count) if count is None else count
    if wanted < 2 or len(usual) < 2:
        raise InvalidRequest("strength", "too_few_rungs")
    return _spread(usual, wanted)


def _spread(usual: Sequence[float], count: int) -> tuple[float, ...]:
    if count == len(usual):
        return tuple(usual)
    width = (usual[-1] - usual[0]) / (count - 1)
    return tuple(round(usual[0] + width * number, 2) for number in range(count))
