"""The smallest valid Stable Diffusion pipeline: random weights from configs, no download.

Every part is diffusers' or transformers' own class; only its sizes are small and its weights untrained.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
HIDDEN_SIZE = 32
MAX_TOKENS = 16
_STABLE_DIFFUSION: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
SCHEDULERS: dict[str, Callable[[], Any]] = {
    "ddim": partial(DDIMScheduler, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
    "pndm": partial(PNDMScheduler, skip_prk_steps=True, steps_offset=1),
    "euler": partial(EulerDiscreteScheduler, **_STABLE_DIFFUSION),
    "euler-a": partial(EulerAncestralDiscreteScheduler, **_STABLE_DIFFUSION),
    "dpm++2m-karras": partial(DPMSolverMultistepScheduler, use_karras_sigmas=True, **_STABLE_DIFFUSION),
    "unipc": partial(UniPCMultistepScheduler, **_STABLE_DIFFUSION),
    "lcm": partial(LCMScheduler, **_STABLE_DIFFUSION),
}
AUTOENCODER = {
    "block_out_channels": (16, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "latent_channels": 4,
    "norm_num_groups": 8,
}
UNET = {
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "sample_size": 32,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": HIDDEN_SIZE,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}


def tiny_pipeline(*, scheduler: str = "ddim", **unet: Any) -> StableDiffusionImg2ImgPipeline:
    """Make the pipeline with one of ``SCHEDULERS``; ``pndm`` runs one step more than requested.

    ``unet`` is added to the denoiser's configuration.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = _tokenizer()
        components: dict[str, Any] = {
            "vae": _made(AutoencoderKL, AUTOENCODER),
            "text_encoder": _text_encoder(len(tokenizer)),
            "tokenizer": tokenizer,
            "unet": _made(UNet2DConditionModel, {**UNET, **unet}),
            "scheduler": SCHEDULERS[scheduler](),
            "safety_checker": None,
            "feature_extractor": None,
        }
        return StableDiffusionImg2ImgPipeline(**components, requires_safety_checker=False)


def save_tiny_pipeline(folder: Path, *, scheduler: str = "ddim", **unet: Any) -> Path:
    """Write the pipeline in diffusers' layout and return the folder."""
    tiny_pipeline(scheduler=scheduler, **unet).save_pretrained(folder, safe_serialization=True)
    return folder


def _made(kind: Any, config: dict[str, Any]) -> Any:
    return kind.from_config(config).eval()


def _tokenizer() -> CLIPTokenizer:
    symbols = sorted(ByteLevel.alphabet())
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), START, END]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=MAX_TOKENS)


def _text_encoder(vocabulary_size: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary_size,
            hidden_size=HIDDEN_SIZE,
            intermediate_size=37,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=vocabulary_size - 2,
            eos_token_id=vocabulary_size - 1,
            pad_token_id=vocabulary_size - 1,
        )
    ).eval()
