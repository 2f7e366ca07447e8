"""Layers of settings: who decides an unchosen value and its limits: member, channel, server, operator, model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.storage.defaults import Layer
from generation.requests import StrengthSchedule

# Each has a default (its own name) and a limit ("max_" plus its name); "model" has a default and a list, "models".
NUMBERS = ("strength", "guidance_scale", "num_inference_steps", "count")
DEFAULT_NAMES = (*NUMBERS, "model")
MEMBER_NAMES = (*DEFAULT_NAMES, "negative_prompt", "size", "sampler")
LIMIT_NAMES = (*(f"max_{name}" for name in NUMBERS), "models")


@dataclass(frozen=True, slots=True)
class Decided:
    """A value and the layer that it comes from."""

    value: Any
    layer: Layer


@dataclass(frozen=True, slots=True)
class Layers:
    """The values of every layer, in order of precedence."""

    layers: Sequence[tuple[Layer, Mapping[str, Any]]]

    def default(self, name: str) -> Decided | None:
        """Return the first layer's value for a name, capped at its limit."""
        wanted, limit = self.wanted(name), self.limit(name)
        return limit if wanted is not None and limit is not None and wanted.value > limit.value else wanted

    def wanted(self, name: str) -> Decided | None:
        """Return the first layer's value for a name, whatever its limit."""
        return next((Decided(values[name], layer) for layer, values in self.layers if name in values), None)

    def kept(self, name: str) -> Any:
        """Return the first layer's value for a name without a limit, or None if no layer has one."""
        wanted = self.wanted(name)
        return None if wanted is None else wanted.value

    def limit(self, name: str) -> Decided | None:
        """Return the strictest limit that any layer sets for a number."""
        limits = [Decided(values[f"max_{name}"], layer) for layer, values in self.layers if f"max_{name}" in values]
        return min(limits, key=lambda limit: limit.value, default=None)

    def model(self) -> Decided | None:
        """Return the first layer's model that every layer allows."""
        for layer, values in self.layers:
            if "model" in values and self.allows_model(values["model"]) is None:
                return Decided(values["model"], layer)
        return None

    def strength_schedule(self) -> StrengthSchedule:
        """Return what strength means if nobody chose, as set by the operator."""
        return next(
            (values["strength_schedule"] for _, values in self.layers if "strength_schedule" in values), "noise"
        )

    def allows_model(self, model: str) -> Layer | None:
        """Return the layer that forbids a model, or None if none does."""
        for layer, values in self.layers:
            if "models" in values and model not in values["models"]:
                return layer
        return None
