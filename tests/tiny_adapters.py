"""Real LoRA files for small pipelines: written by peft and diffusers as a training would."""

from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict

from tests.tiny_pipeline import tiny_pipeline


def save_tiny_adapter(folder: Path, *, seed: int, model: Path | None = None) -> Path:
    """Write a LoRA of the tiny pipeline's denoiser, or of a model's in a folder, and return its file.

    Different seeds give different ones.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = UNet2DConditionModel.from_pretrained(str(model / "unet")) if model else tiny_pipeline().unet
        unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
        for name, weights in unet.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weights, std=0.3)
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    name = f"adapter-{seed}.safetensors"
    StableDiffusionImg2ImgPipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name=name)
    return folder / name
