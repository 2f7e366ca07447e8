"""Which rungs a ladder of strengths has in a channel."""

from bot.errors import Refused
from bot.orders.layers import Layers
from generation.requests import MAX_COUNT, MAX_STRENGTH
from generation.strength_ladder import RUNGS, rungs


def rungs_within(layers: Layers, count: int | None) -> tuple[float, ...]:
    """Return the strengths that every layer allows; ``count`` of them if given.

    Raises Refused (``past_limit_of_ladder``) if the limits leave fewer than two, InvalidRequest (``too_few_rungs``) if
    ``count`` does.
    """
    highest, max_count = layers.limit("strength"), layers.limit("count")
    for name, limit, least in (("strength", highest, RUNGS[1]), ("count", max_count, 2)):
        if limit is not None and limit.value < least:
            raise Refused("past_limit_of_ladder", name=name, limit=limit.value, layer=limit.layer)
    return rungs(
        count,
        highest=MAX_STRENGTH if highest is None else highest.value,
        max_count=MAX_COUNT if max_count is None else max_count.value,
    )
