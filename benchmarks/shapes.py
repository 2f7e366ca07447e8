"""Models of realistic size with random weights, built from published configs: the work is real, the picture is not.

Source of the numbers: ``unet/config.json`` and ``vae/config.json`` of Stable Diffusion 1.5 and of Stable Diffusion XL
1.0, and the CLIP text configs that come with them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SD15_UNET: dict[str, Any] = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
SDXL_UNET: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
AUTOENCODER: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
SDXL_AUTOENCODER: dict[str, Any] = AUTOENCODER | {
    "sample_size": 1024,
    "scaling_factor": 0.13025,
    "force_upcast": True,
}
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "skip_prk_steps": True,
    "steps_offset": 1,
}
START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 77
_NORMAL_NUMBERS = 2**25


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A denoiser's shape: how to build it, and what a call needs besides latents and timestep."""

    name: str
    unet: dict[str, Any]
    text_width: int
    is_xl: bool = False

    def denoiser(self, dtype: torch.dtype = torch.float32, model: Path | None = None) -> UNet2DConditionModel:
        """Build the denoiser with random weights, or load it from a folder in diffusers' layout."""
        if model is not None:
            return UNet2DConditionModel.from_pretrained(model, subfolder="unet", dtype=dtype, local_files_only=True)
        return random_weights(lambda: UNet2DConditionModel(**self.unet), dtype)

    def empty_denoiser(self) -> UNet2DConditionModel:
        """Build the denoiser on the meta device, without memory for its weights."""
        with torch.device("meta"):
            return UNet2DConditionModel(**self.unet)

    def inputs(self, side: int, rows: int, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
        """Make the arguments of one call for pictures of ``side`` pixels: latents, timesteps, embeddings."""
        random = torch.Generator().manual_seed(1)

        def normal(*sizes: int) -> torch.Tensor:
            return torch.randn(*sizes, generator=random).to(device, dtype)

        added = {"text_embeds": normal(rows, 1280), "time_ids": normal(rows, 6)} if self.is_xl else None
        return {
            "sample": normal(rows, 4, side // 8, side // 8),
            "timestep": torch.full((rows,), 500.0, device=device),  # the engine's may be fractional
            "encoder_hidden_states": normal(rows, TOKENS, self.text_width),
            "added_cond_kwargs": added,
            "return_dict": False,
        }


SHAPES = {
    "sd15": Shape(name="sd15", unet=SD15_UNET, text_width=768),
    "sdxl": Shape(name="sdxl", unet=SDXL_UNET, text_width=2048, is_xl=True),
}
# The options of a benchmark of single calls.
SHAPE_ARGUMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--shape", {"choices": list(SHAPES), "default": "sd15"}),
    ("--side", {"type": int, "default": 256, "help": "pixels"}),
    ("--model", {"type": Path, "help": "a folder of diffusers' layout instead of random weights"}),
)


def random_weights(make: Callable[[], Any], dtype: torch.dtype) -> Any:
    """Build a module with seeded normal weights, scaled to keep activations in range, without slow initializers.

    Weights are created directly in ``dtype``, so that a large module needs its own memory and not twice as much. Each
    is a slice of the same random numbers at an offset of its own, because drawing billions of them would take minutes.
    """
    with torch.device("meta"):
        module = make()
    module = module.to(dtype).to_empty(device="cpu").eval()
    normal = torch.randn(_NORMAL_NUMBERS, generator=torch.Generator().manual_seed(0))
    places = random.Random(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                spread = parameter[0].numel() ** -0.5
                flat, begin = parameter.view(-1), places.randrange(_NORMAL_NUMBERS // 2)
                for part in flat.split(_NORMAL_NUMBERS // 2):
                    torch.mul(normal[begin : begin + len(part)], spread, out=part)
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        for name, buffer in module.named_buffers():
            if name.endswith("position_ids"):
                buffer.copy_(torch.arange(buffer.shape[-1]).expand(buffer.shape))
    return module


def sd15_pipeline(dtype: torch.dtype = torch.float32, model: Path | None = None) -> Any:
    """Build the whole pipeline of Stable Diffusion 1.5's shape, or load one; with PNDM, as in its repository."""
    if model is not None:
        pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
            model, dtype=dtype, safety_checker=None, requires_safety_checker=False, local_files_only=True
        )
    else:
        components: Any = {
            "vae": random_weights(lambda: AutoencoderKL(**AUTOENCODER), dtype),
            "text_encoder": random_weights(lambda: CLIPTextModel(_text_config(768, 3072, 12, 12)), dtype),
            "tokenizer": _tokenizer(),
            "unet": SHAPES["sd15"].denoiser(dtype),
            "scheduler": PNDMScheduler(**SCHEDULER),
            "safety_checker": None,
            "feature_extractor": None,
        }
        pipeline = StableDiffusionImg2ImgPipeline(**components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sdxl_pipeline(dtype: torch.dtype = torch.float32) -> Any:
    """Build the whole pipeline of Stable Diffusion XL's shape."""
    scheduler = {name: value for name, value in SCHEDULER.items() if name != "skip_prk_steps"}
    large = _text_config(1280, 5120, 32, 20, projection_dim=1280)
    components: Any = {
        "vae": random_weights(lambda: AutoencoderKL(**SDXL_AUTOENCODER), dtype),
        "text_encoder": random_weights(lambda: CLIPTextModel(_text_config(768, 3072, 12, 12)), dtype),
        "text_encoder_2": random_weights(lambda: CLIPTextModelWithProjection(large), dtype),
        "tokenizer": _tokenizer(),
        "tokenizer_2": _tokenizer(),
        "unet": SHAPES["sdxl"].denoiser(dtype),
        "scheduler": EulerDiscreteScheduler(**scheduler),
    }
    pipeline = StableDiffusionXLImg2ImgPipeline(**components, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


PIPELINES: dict[str, Callable[[torch.dtype], Any]] = {"sd15": sd15_pipeline, "sdxl": sdxl_pipeline}


def _text_config(width: int, inner: int, layers: int, heads: int, **more: Any) -> CLIPTextConfig:
    last = len(_tokenizer()) - 1
    return CLIPTextConfig(
        vocab_size=49408, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, bos_token_id=last - 1, eos_token_id=last, pad_token_id=last, **more,
    )  # fmt: skip


def _tokenizer() -> CLIPTokenizer:
    symbols = sorted(ByteLevel.alphabet())
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), START, END]
    return CLIPTokenizer(vocab={token: index for index, token in enumerate(tokens)}, merges=[], model_max_length=TOKENS)
