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


class Adapters:
    """The adapters of one pipeline: at most one is in effect, at one weight.

    Without one every layer computes as if none had ever been loaded. Used by the device loop's thread only.
    """

    def __init__(self, pipeline: Any, offered: Mapping[str, Adapter], locate: Callable[[AddOnFile], Path]) -> None:
        self._pipeline = pipeline
        self._offered = offered
        self._locate = locate
        self._loaded: set[str] = set()
        self._in_effect: tuple[str, float] = (NO_ADAPTER, 0.0)

    @property
    def has_loaded(self) -> bool:
        """Whether any adapter has ever been loaded, which changes the layers."""
        return bool(self._loaded)

    def use(self, name: str, weight: float) -> None:
        """Bring an adapter into effect, or none; raise ModelUnavailable for a file that is not here or does not fit."""
        wanted = (name, weight) if name else (NO_ADAPTER, 0.0)
        if wanted == self._in_effect:
            return
        if name:
            if name not in self._loaded:
                self._load(self._offered[name])
            self._pipeline.enable_lora()
            self._pipeline.set_adapters([name], [weight])
        else:
            self._pipeline.disable_lora()
        self._in_effect = wanted

    def _load(self, adapter: Adapter) -> None:
        file = self._locate(adapter.file)
        unpack_layers(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module))
        self._in_effect = (NO_ADAPTER, -1.0)  # whatever happens now, what is in effect is to be set anew
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft notes that there is another adapter already, which is meant
                self._pipeline.load_lora_weights(
                    str(file.parent),
                    weight_name=file.name,
                    adapter_name=adapter.name,
                    use_safetensors=True,
                    local_files_only=True,
                )
            if adapter.name not in self._pipeline.get_list_adapters().get("unet", []):
                raise ValueError("nothing in it is for this denoiser")
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise adapter.file.problem(ModelProblem.DOES_NOT_FIT) from error
        self._loaded.add(adapter.name)
