"""LoRA in a loaded pipeline: loaded at the first use, in effect for exactly the calls that want it."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from generation.engine.packing import unpack_layers
from generation.models.adapters import NO_ADAPTER, Adapter
from generation.models.add_ons import AddOnFile
from generation.models.problems import ModelProblem

_KEPT = 8  # a large one takes a gigabyte; as many as there are slots, so that nobody loads again for every step


class Adapters:
    """The adapters of one pipeline: at most one is in effect, at one weight.

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
        self._in_effect: tuple[str, float] = (NO_ADAPTER, 0.0)
        self.has_loaded = False  # whether any ever was, which changes the denoiser's layers

    def use(self, name: str, weight: float) -> None:
        """Bring an adapter into effect, or none; raise ModelUnavailable for a file that is not here or does not fit."""
        wanted = (name, weight) if name else (NO_ADAPTER, 0.0)
        if wanted == self._in_effect:
            return
        if name:
            if name in self._loaded:
                self._loaded.remove(name)
            else:
                self._load(self._offered[name])
            self._loaded.append(name)
            self._pipeline.enable_lora()
            self._pipeline.set_adapters([self._layers[name]], [weight])
        else:
            self._pipeline.disable_lora()
        self._in_effect = wanted

    def _load(self, adapter: Adapter) -> None:
        file = self._locate(adapter.file)
        unpack_layers(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module))
        self._in_effect = (NO_ADAPTER, -1.0)  # whatever happens now, what is in effect is to be set anew
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
            if not any(layers in names for names in self._pipeline.get_list_adapters().values()):
                raise ValueError("nothing in it is for this model")
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise adapter.file.problem(ModelProblem.DOES_NOT_FIT) from error
        finally:
            self.has_loaded |= bool(self._pipeline.get_list_adapters())
