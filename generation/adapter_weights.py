"""Which adapters a request names and how strongly to apply each, as members write it."""

from collections.abc import Sequence
from typing import TypeVar

from generation.errors import InvalidRequest

NO_ADAPTER = ""
MAX_ADAPTERS = 3  # of one request

_Weight = TypeVar("_Weight", bound=float | None)


def read_adapters(text: str, weight: _Weight) -> tuple[tuple[str, float | _Weight], ...]:
    """Read ``film:0.8, ada`` as names and weights, sorted by name, so that their order makes no difference.

    ``weight`` applies to those without one of their own. Raises InvalidRequest (``twice``, ``too_many``,
    ``no_number``).
    """
    chosen: dict[str, float | _Weight] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, has_own, own = (piece.strip() for piece in part.partition(":"))
        if name in chosen:
            raise InvalidRequest("adapter", "twice")
        try:
            chosen[name] = float(own) if has_own else weight
        except ValueError as error:
            raise InvalidRequest("adapter_weight", "no_number", value=own) from error
    if len(chosen) > MAX_ADAPTERS:
        raise InvalidRequest("adapter", "too_many", high=MAX_ADAPTERS)
    return tuple(sorted(chosen.items()))


def write_adapters(chosen: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Return the ``adapter`` and ``adapter_weight`` that ``read_adapters`` reads; a single adapter is a bare name."""
    if len(chosen) == 1:
        return chosen[0]
    return ", ".join(f"{name}:{weight}" for name, weight in chosen), 0.0
