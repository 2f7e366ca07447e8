"""Real LoRA files for small pipelines, written by peft and diffusers as a training script would."""

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from tests.tiny_pipeline import tiny_pipeline

_RANK = 2
_LAYERS = {"unet": ["to_q", "to_k", "to_v", "to_out.0"], "text_encoder": ["q_proj", "k_proj", "v_proj", "out_proj"]}


def save_as_others_do(file: Path) -> Path:
    """Rewrite a denoiser's LoRA in the format of kohya's trainer, which most shared ones use."""
    written: dict[str, torch.Tensor] = {}
    for name, weights in load_file(file).items():
        layer, _, rest = name.removeprefix("unet.").partition(".lora")
        kohya = "lora_unet_" + layer.replace(".", "_")
        written[f"{kohya}.lora_{'down' if rest in ('.down.weight', '_A.weight') else 'up'}.weight"] = weights
        written[f"{kohya}.alpha"] = torch.tensor(float(_RANK))
    other = file.with_name(f"kohya-{file.name}")
    save_file(written, other)
    return other


def save_tiny_adapter(
    folder: Path, *, seed: int, model: Path | None = None, parts: tuple[str, ...] = ("unet",)
) -> Path:
    """Write a LoRA for the tiny pipeline, or for a model in a folder, and return its file.

    ``parts`` are the components that it changes. Different seeds give different adapters.
    """
    pipeline: Any = DiffusionPipeline.from_pretrained(str(model)) if model else tiny_pipeline()
    layers: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for part in parts:
            module = getattr(pipeline, part)
            module.add_adapter(LoraConfig(r=_RANK, lora_alpha=_RANK, target_modules=_LAYERS[part.removesuffix("_2")]))
            for name, weights in module.named_parameters():
                if "lora_" in name:
                    torch.nn.init.normal_(weights, std=0.3)
            layers[f"{part}_lora_layers"] = convert_state_dict_to_diffusers(get_peft_model_state_dict(module))
    name = f"adapter-{seed}.safetensors"
    type(pipeline).save_lora_weights(folder, **layers, weight_name=name)
    return folder / name
