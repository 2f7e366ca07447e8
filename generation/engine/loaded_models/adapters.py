"""LoRA in a loaded pipeline: loaded at the first use, in effect for exactly the calls that want it."""

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
_KEPT = 8  # a large one takes a gigabyte; as many as there are slots, so that hardly anybody loads again for a step


class Adapters:
    """The adapters of one pipeline: those that are in effect, each at its weight.

    Without one every layer computes as if none had ever been loaded. Of those that are loaded the ones used last stay
    in memory. Used by the device loop's thread only.
    """

    def __init__(self, pipeline: Any, offered: Mapping[str, Adapter], locate: Callable[[AddOnFile], Path]) -> None:
        self._pipeline = pipeline
        self._offered = offered
        self._locate = locate
        # The operator's names may have dots, which torch does not take.
        self._layers = {name: f"adapter_{number}" for number, name in enumerate(offered)}
        self._loaded: list[str] = []  # who was used least recently comes first
        self._loads: dict[str, int] = {}  # which load of a file it was: another one may find other contents
        self._in_effect: tuple[tuple[str, float], ...] | None = ()

    def use(self, wanted: tuple[tuple[str, float], ...]) -> None:
        """Bring these into effect, or none; raise ModelUnavailable for a file that is not here or does not fit."""
        if wanted == self._in_effect:
            return
        names = [name for name, _ in wanted]
        self._loaded.sort(key=names.__contains__)  # those that are wanted come last, the others stay in their order
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
        """Return what stands for the contents of adapters in effect, so that nothing remembered outlives them."""
        return tuple((self._loads[name], weight) for name, weight in wanted)

    def _load(self, adapter: Adapter) -> None:
        file = self._locate(adapter.file)
        unpack_layers(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module))
        self._in_effect = None  # whatever happens now, what is in effect is to be set anew
        while len(self._loaded) >= _KEPT:
            self._pipeline.delete_adapters(self._layers[self._loaded.pop(0)])
        layers = self._layers[adapter.name]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft notes that there is another adapter already, which is meant
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
            if self._is_loaded(layers):  # in some parts; nobody could load it again
                self._pipeline.delete_adapters(layers)
            if fault_of(error) is not None:  # which says nothing about the file
                raise
            raise adapter.file.problem(ModelProblem.DOES_NOT_FIT) from error

    def _is_loaded(self, layers: str) -> bool:
        return any(layers in names for names in self._pipeline.get_list_adapters().values())
