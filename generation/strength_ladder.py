"""A ladder: one picture and one seed at several strengths, from subtle to strong, to choose from by eye."""

from collections.abc import Sequence
from typing import Final

from generation.errors import InvalidRequest

LADDER: Final = "ladder"  # its name wherever a strength can be given

# Below 0.3 hardly anything changes; above 0.75 hardly anything of the picture is left. In between, steps of 0.15 can be
# told apart at a glance, and Discord shows four pictures as a square.
RUNGS: Final = (0.3, 0.45, 0.6, 0.75)


def rungs(count: int | None = None, *, highest: float = RUNGS[-1], max_count: int = len(RUNGS)) -> tuple[float, ...]:
    """Return the strengths of a ladder in increasing order: ``count`` of them, else as many default ones as allowed.

    No strength is above ``highest``, and without ``count`` there are at most ``max_count``. If their number differs
    from that of the default ones, they are spread evenly. Raises InvalidRequest (``too_few_rungs``) if fewer than two
    are left.
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
