"""LoRA adapters in a loaded pipeline: loaded on first use, and in effect for exactly the calls that want them."""

import itertools
import warnings
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from generation.engine.faults import fault_of
from generation.engine.kernels.packing import unpack_layers
from generation.models.adapters import Adapter
from generation.models.add_ons import AddOnFile
from generation.models.problems import ModelProblem

_LOADS = itertools.count()
_MAX_LOADED = 8  # a large one takes a gigabyte; as many as slots, so that hardly a step has to load one again


class Adapters:
    """The adapters of one pipeline: those in effect, each with its weight.

    With none in effect, every layer computes as if none had ever been loaded. The most recently used stay in memory.
    Used by the device loop's thread only.
    """

    def __init__(self, pipeline: Any, offered: Mapping[str, Adapter], locate: Callable[[AddOnFile], Path]) -> None:
        self._pipeline = pipeline
        self._offered = offered
        self._locate = locate
        # Operators' names may contain dots, which torch does not accept.
        self._layers = {name: f"adapter_{number}" for number, name in enumerate(offered)}
        self._loaded: list[str] = []  # least recently used first
        self._loads: dict[str, int] = {}  # numbers each load, as a file's contents may change
        self._in_effect: tuple[tuple[str, float], ...] | None = ()

    def use(self, wanted: tuple[tuple[str, float], ...]) -> None:
        """Put exactly these into effect, or none; raise ModelUnavailable for a file that is missing or does not fit."""
        if wanted == self._in_effect:
            return
        names = [name for name, _ in wanted]
        self._loaded.sort(key=names.__contains__)  # wanted ones go last, the others keep their order
        for name in names:
            if name not in self._loaded:
                self._load(self._offered[name])
                self._loaded.append(name)
        if wanted:
            self._pipeline.enable_lora()
            self._pipeline.set_adapters([self._layers[name] for name in names], [weight for _, weight in wanted])
        else:
            self._pipeline.disable_lora()
        self._in_effect = wanted

    def contents_of(self, wanted: tuple[tuple[str, float], ...]) -> Hashable:
        """Return a key that stands for the contents of these adapters, so that nothing cached outlives them."""
        return tuple((self._loads[name], weight) for name, weight in wanted)

    def _load(self, adapter: Adapter) -> None:
        file = self._locate(adapter.file)
        unpack_layers(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module))
        self._in_effect = None  # whatever happens now, the next call has to set it again
        while len(self._loaded) >= _MAX_LOADED:
            self._pipeline.delete_adapters(self._layers[self._loaded.pop(0)])
        layers = self._layers[adapter.name]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft warns that there is another adapter already, as intended
                self._pipeline.load_lora_weights(
                    str(file.parent),
                    weight_name=file.name,
                    adapter_name=layers,
                    use_safetensors=True,
                    local_files_only=True,
                )
            self._loads[adapter.name] = next(_LOADS)
            if not self._is_loaded(layers):
                raise ValueError("nothing in it is for this model")
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            if self._is_loaded(layers):  # in part, which would prevent loading it again
                self._pipeline.delete_adapters(layers)
            if fault_of(error) is not None:  # not the file's fault
                raise
            raise adapter.file.problem(ModelProblem.DOES_NOT_FIT) from error

    def _is_loaded(self, layers: str) -> bool:
        return any(layers in names for names in self._pipeline.get_list_adapters().values())
