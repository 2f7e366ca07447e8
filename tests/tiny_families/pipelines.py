"""The smallest pipeline of each family: random weights from configs, no download.

Every part is diffusers' or transformers' own class; only its sizes are small and its weights untrained. The configs
follow those of diffusers' own tests (Apache-2.0), https://github.com/huggingface/diffusers/tree/main/tests/pipelines.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
from diffusers.models.autoencoders.vq_model import VQModel
from diffusers.models.transformers.prior_transformer import PriorTransformer
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_kandinsky3 import Kandinsky3UNet
from diffusers.pipelines.flux.pipeline_flux_img2img import FluxImg2ImgPipeline
from diffusers.pipelines.flux.pipeline_flux_kontext import FluxKontextPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import Flux2KleinPipeline
from diffusers.pipelines.kandinsky2_2.pipeline_kandinsky2_2_combined import KandinskyV22Img2ImgCombinedPipeline
from diffusers.pipelines.kandinsky3.pipeline_kandinsky3_img2img import Kandinsky3Img2ImgPipeline
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit import QwenImageEditPipeline
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import QwenImageEditPlusPipeline
from diffusers.pipelines.qwenimage.pipeline_qwenimage_img2img import QwenImageImg2ImgPipeline
from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3_img2img import StableDiffusion3Img2ImgPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from diffusers.pipelines.z_image.pipeline_z_image_img2img import ZImageImg2ImgPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unclip import UnCLIPScheduler
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.tiny_families import texts
from tests.tiny_pipeline import tiny_pipeline


def _made(kind: Any, **config: Any) -> Any:
    return kind.from_config(config).eval()


def _scheduler(kind: Any, **config: Any) -> Any:
    return kind.from_config(config)


def _autoencoder(kind: Any = AutoencoderKL, *, blocks: int, latent_channels: int, **config: Any) -> Any:
    """Make an autoencoder that halves each side ``blocks`` - 1 times."""
    return _made(
        kind,
        block_out_channels=[8] * blocks,
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        **config,
    )


def stable_diffusion_xl() -> Any:
    """Make Stable Diffusion XL."""
    time_ids = 6 * 8  # the sizes and the crop, each as an embedding of 8 numbers
    return StableDiffusionXLImg2ImgPipeline(
        vae=_autoencoder(blocks=2, latent_channels=4),
        text_encoder=texts.clip_encoder(),
        text_encoder_2=texts.clip_encoder(projected=True),
        tokenizer=texts.clip_tokenizer(),
        tokenizer_2=texts.clip_tokenizer(),
        unet=_made(
            UNet2DConditionModel,
            block_out_channels=(16, 32),
            layers_per_block=1,
            sample_size=32,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=time_ids + texts.CLIP_WIDTH,
            cross_attention_dim=2 * texts.CLIP_WIDTH,
            norm_num_groups=8,
        ),
        scheduler=_scheduler(
            DDIMScheduler,
            clip_sample=False,
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
        ),
        add_watermarker=False,
    )


def stable_diffusion_3() -> Any:
    """Make Stable Diffusion 3."""
    return StableDiffusion3Img2ImgPipeline(
        transformer=_made(
            SD3Transformer2DModel,
            sample_size=32,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=2 * texts.CLIP_WIDTH,
            caption_projection_dim=32,
            pooled_projection_dim=2 * texts.CLIP_WIDTH,
        ),
        scheduler=_scheduler(FlowMatchEulerDiscreteScheduler, shift=3.0),
        vae=_autoencoder(blocks=4, latent_channels=4, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=texts.clip_encoder(projected=True),
        tokenizer=texts.clip_tokenizer(),
        text_encoder_2=texts.clip_encoder(projected=True),
        tokenizer_2=texts.clip_tokenizer(),
        text_encoder_3=texts.t5_encoder(2 * texts.CLIP_WIDTH),
        tokenizer_3=texts.t5_tokenizer(),
    )


def _flux_parts() -> dict[str, Any]:
    return {
        "transformer": _made(
            FluxTransformer2DModel,
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=texts.T5_WIDTH,
            pooled_projection_dim=texts.CLIP_WIDTH,
            guidance_embeds=True,
            axes_dims_rope=[4, 4, 8],
        ),
        "scheduler": _scheduler(FlowMatchEulerDiscreteScheduler, shift=3.0, use_dynamic_shifting=True),
        "vae": _autoencoder(blocks=4, latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        "text_encoder": texts.clip_encoder(),
        "tokenizer": texts.clip_tokenizer(),
        "text_encoder_2": texts.t5_encoder(),
        "tokenizer_2": texts.t5_tokenizer(),
    }


def flux() -> Any:
    """Make FLUX.1 dev."""
    return FluxImg2ImgPipeline(**_flux_parts())


def flux_kontext() -> Any:
    """Make FLUX.1 Kontext."""
    return FluxKontextPipeline(**_flux_parts())


def flux2_klein() -> Any:
    """Make FLUX.2 Klein, not distilled, so that guidance has an effect."""
    return Flux2KleinPipeline(
        transformer=_made(
            Flux2Transformer2DModel,
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * texts.QWEN_WIDTH,
            axes_dims_rope=[4, 4, 4, 4],
            guidance_embeds=False,
        ),
        scheduler=_scheduler(FlowMatchEulerDiscreteScheduler, shift=3.0, use_dynamic_shifting=True),
        vae=_autoencoder(AutoencoderKLFlux2, blocks=4, latent_channels=4),
        text_encoder=texts.qwen3_causal_model(),
        tokenizer=texts.qwen_tokenizer(),
    )


def _qwen_parts() -> dict[str, Any]:
    return {
        "transformer": _made(
            QwenImageTransformer2DModel,
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=texts.QWEN_WIDTH,
            guidance_embeds=False,
            axes_dims_rope=(8, 4, 4),
        ),
        "scheduler": _scheduler(FlowMatchEulerDiscreteScheduler, shift=3.0, use_dynamic_shifting=True),
        "vae": _made(
            AutoencoderKLQwenImage,
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        "text_encoder": texts.qwen_vl_model(),
        "tokenizer": texts.qwen_tokenizer(),
    }


def qwen_image() -> Any:
    """Make Qwen-Image."""
    return QwenImageImg2ImgPipeline(**_qwen_parts())


def qwen_image_edit() -> Any:
    """Make Qwen-Image-Edit."""
    return QwenImageEditPipeline(**_qwen_parts(), processor=texts.qwen_vl_processor())


def qwen_image_edit_plus() -> Any:
    """Make Qwen-Image-Edit as of version 2509."""
    return QwenImageEditPlusPipeline(**_qwen_parts(), processor=texts.qwen_vl_processor())


def z_image() -> Any:
    """Make Z-Image."""
    return ZImageImg2ImgPipeline(
        transformer=_made(
            ZImageTransformer2DModel,
            all_patch_size=(2,),
            all_f_patch_size=(1,),
            in_channels=4,
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            norm_eps=1e-5,
            qk_norm=True,
            cap_feat_dim=texts.QWEN_WIDTH,
            rope_theta=256.0,
            t_scale=1000.0,
            axes_dims=[8, 4, 4],
            axes_lens=[1024, 64, 64],
        ),
        scheduler=_scheduler(FlowMatchEulerDiscreteScheduler, shift=3.0),
        vae=_autoencoder(blocks=4, latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=texts.qwen3_model(),
        tokenizer=texts.qwen_tokenizer(),
    )


def _movq() -> Any:
    return _made(
        VQModel,
        block_out_channels=[32, 32],
        down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )


def kandinsky_2_2() -> Any:
    """Make Kandinsky 2.2 with its prior."""
    prior = _made(
        PriorTransformer, num_attention_heads=2, attention_head_dim=12, embedding_dim=texts.CLIP_WIDTH, num_layers=1
    )
    prior.clip_std = torch.nn.Parameter(torch.ones_like(prior.clip_std))  # initially zero, which would mute the prior
    vision = CLIPVisionConfig(
        hidden_size=32,
        projection_dim=texts.CLIP_WIDTH,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=1,
        image_size=32,
        patch_size=16,
    )
    pixels: Any = CLIPImageProcessorPil(crop_size=32, size=32)
    return KandinskyV22Img2ImgCombinedPipeline(
        unet=_made(
            UNet2DConditionModel,
            in_channels=4,
            out_channels=8,
            addition_embed_type="image",
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            block_out_channels=(32, 64),
            layers_per_block=1,
            encoder_hid_dim=texts.CLIP_WIDTH,
            encoder_hid_dim_type="image_proj",
            cross_attention_dim=32,
            attention_head_dim=4,
            resnet_time_scale_shift="scale_shift",
        ),
        scheduler=_scheduler(
            DDIMScheduler, beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False
        ),
        movq=_movq(),
        prior_prior=prior,
        prior_image_encoder=CLIPVisionModelWithProjection(vision).eval(),
        prior_text_encoder=texts.clip_encoder(projected=True),
        prior_tokenizer=texts.clip_tokenizer(),
        prior_scheduler=_scheduler(
            UnCLIPScheduler,
            variance_type="fixed_small_log",
            prediction_type="sample",
            clip_sample=True,
            clip_sample_range=10.0,
        ),
        prior_image_processor=pixels,
    )


def kandinsky_3() -> Any:
    """Make Kandinsky 3."""
    return Kandinsky3Img2ImgPipeline(
        tokenizer=texts.t5_tokenizer(),
        text_encoder=texts.t5_encoder(),
        unet=_made(
            Kandinsky3UNet,
            in_channels=4,
            time_embedding_dim=4,
            groups=2,
            attention_head_dim=4,
            layers_per_block=3,
            block_out_channels=(32, 64),
            cross_attention_dim=4,
            encoder_hid_dim=texts.T5_WIDTH,
        ),
        scheduler=_scheduler(
            DDPMScheduler, beta_start=0.00085, beta_end=0.012, steps_offset=1, beta_schedule="squaredcos_cap_v2"
        ),
        movq=_movq(),
    )


TINY_FAMILIES: Mapping[str, Callable[[], Any]] = {
    "stable-diffusion": tiny_pipeline,
    "stable-diffusion-xl": stable_diffusion_xl,
    "stable-diffusion-3": stable_diffusion_3,
    "flux": flux,
    "flux-kontext": flux_kontext,
    "flux-2-klein": flux2_klein,
    "qwen-image": qwen_image,
    "qwen-image-edit": qwen_image_edit,
    "qwen-image-edit-plus": qwen_image_edit_plus,
    "z-image": z_image,
    "kandinsky-2-2": kandinsky_2_2,
    "kandinsky-3": kandinsky_3,
}


def save_tiny_family(name: str, folder: Path) -> Path:
    """Write a family's pipeline in diffusers' layout and return the folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        TINY_FAMILIES[name]().save_pretrained(folder, safe_serialization=True)
    index = folder / "model_index.json"
    parts = json.loads(index.read_text())
    if "processor" in parts:  # published models do not name our class
        index.write_text(json.dumps({**parts, "processor": ["transformers", "Qwen2VLProcessor"]}))
    return folder
