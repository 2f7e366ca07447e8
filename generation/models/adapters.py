"""LoRA adapters that the operator offers: the file of each, and how strongly it may be applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.errors import InvalidRequest
from generation.models.add_ons import FILE_KINDS, AddOnFile, take_file
from generation.models.rows import Kinds, check_kinds, check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One LoRA adapter for one model: its file, and the range of weights that a request may choose from.

    ``trigger`` is words that a prompt should contain for the adapter to take effect; empty if it needs none.
    """

    name: str
    title: str
    file: AddOnFile
    weight: float
    min_weight: float
    max_weight: float
    trigger: str = ""

    def checked_weight(self, weight: float | None) -> float:
        """Return the chosen weight, or the default; raise InvalidRequest for one outside the operator's range."""
        if weight is None:
            return self.weight
        if not self.min_weight <= weight <= self.max_weight:
            raise InvalidRequest(
                "adapter_weight", "out_of_range", value=weight, low=self.min_weight, high=self.max_weight
            )
        return weight


_KINDS: Kinds = {
    **FILE_KINDS,
    "title": str,
    "trigger": str,
    "weight": float,
    "min_weight": float,
    "max_weight": float,
}


def adapters_of(rows: Mapping[str, Mapping[str, Any]], *, model: str, root: Path) -> dict[str, Adapter]:
    """Read a model's ``adapters`` table; raise ValueError with the end of a sentence if something in it is wrong."""
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
