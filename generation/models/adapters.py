"""Small changes to a model (LoRA) that the operator offers: which file each is, and how strongly it may be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from generation.errors import InvalidRequest
from generation.models.add_ons import FILE_KINDS, AddOnFile, take_file
from generation.models.rows import Kinds, check_kinds, check_name

NO_ADAPTER = ""
MAX_ADAPTERS = 3  # of one request

_Weight = TypeVar("_Weight", bound=float | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One LoRA for one model: its file, and the range of weights that a request may choose from.

    ``trigger`` are words that a prompt should hold for it to show; empty if it needs none.
    """

    name: str
    title: str
    file: AddOnFile
    weight: float
    min_weight: float
    max_weight: float
    trigger: str = ""

    def checked_weight(self, weight: float | None) -> float:
        """Return a chosen weight, or the usual one; raise InvalidRequest for one outside the operator's range."""
        if weight is None:
            return self.weight
        if not self.min_weight <= weight <= self.max_weight:
            raise InvalidRequest(
                "adapter_weight", "out_of_range", value=weight, low=self.min_weight, high=self.max_weight
            )
        return weight


def read_adapters(text: str, weight: _Weight) -> tuple[tuple[str, float | _Weight], ...]:
    """Read ``film:0.8, ada`` as names and weights, ordered by name, so that the same ones are equal in any order.

    ``weight`` is for those without one of their own. Raises InvalidRequest (``twice``, ``too_many``, ``no_number``).
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
    """Return the ``adapter`` and the ``adapter_weight`` that ``read_adapters`` reads: a name alone where it is one."""
    if len(chosen) == 1:
        return chosen[0]
    return ", ".join(f"{name}:{weight}" for name, weight in chosen), 0.0


_KINDS: Kinds = {
    **FILE_KINDS,
    "title": str,
    "trigger": str,
    "weight": float,
    "min_weight": float,
    "max_weight": float,
}


def adapters_of(rows: Mapping[str, Mapping[str, Any]], *, model: str, root: Path) -> dict[str, Adapter]:
    """Read a model's table ``adapters``; raise ValueError with the end of a sentence for what is wrong in it."""
    adapters: dict[str, Adapter] = {}
    for name, row in rows.items():
        try:
            check_kinds(row, _KINDS)
            check_name(name)
            values = dict(row)
            adapter = Adapter(
                name=name,
                title=values.pop("title", name),
                file=take_file(values, model=model, add_on=f"adapter {name}", root=root),
                weight=values.pop("weight", 1.0),
                min_weight=values.pop("min_weight", 0.0),
                max_weight=values.pop("max_weight", 1.5),
                trigger=values.pop("trigger", ""),
            )
        except ValueError as error:
            raise ValueError(f"has an adapter {name} {error}") from error
        if values:
            raise ValueError(f"has an adapter {name} with an unknown key, {next(iter(values))}")
        if not adapter.min_weight <= adapter.weight <= adapter.max_weight:
            raise ValueError(f"has an adapter {name} whose weight lies outside its range")
        adapters[name] = adapter
    return adapters
