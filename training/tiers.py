"""The two sizes of the model, A for one CPU and B for a GPU, with everything that differs between them."""

from dataclasses import dataclass
from typing import Any

from training.words import VOCABULARY_A, VOCABULARY_B, Vocabulary

MAX_TOKENS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One size of the model; `buckets` are the picture sizes (width, height) besides the square one, in pixels."""

    name: str
    pixels: int
    buckets: tuple[tuple[int, int], ...]
    vocabulary: Vocabulary
    square_pictures: int
    bucket_pictures: int
    autoencoder: dict[str, Any]
    crop_pixels: int
    autoencoder_batch: int
    autoencoder_minutes: float
    unet: dict[str, Any]
    text_width: int
    unet_batch: int
    unet_learning_rate: float
    unet_minutes: float

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        return ((self.pixels, self.pixels), *self.buckets)


def _unet(sample_size: int, channels: tuple[int, ...], text_width: int) -> dict[str, Any]:
    """Return a UNet without attention at its outermost level, where attention costs most and helps least.

    The pooled text embedding is also added to the time embedding and scales every residual block, so that a word
    reaches the whole picture from the first training steps on, before cross-attention has learned where to look.
    """
    inner = len(channels) - 1
    return {
        "sample_size": sample_size,
        "in_channels": 4,
        "out_channels": 4,
        "layers_per_block": 1,
        "block_out_channels": channels,
        "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * inner),
        "up_block_types": (*("CrossAttnUpBlock2D",) * inner, "UpBlock2D"),
        "cross_attention_dim": text_width,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
        "time_embedding_dim": 2 * text_width,
        "resnet_time_scale_shift": "scale_shift",
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 4,
    }


def _autoencoder(sample_size: int, channels: tuple[int, ...]) -> dict[str, Any]:
    return {
        "sample_size": sample_size,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * len(channels),
        "up_block_types": ("UpDecoderBlock2D",) * len(channels),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "mid_block_add_attention": False,
    }


TIER_A = Tier(
    name="a",
    pixels=64,
    buckets=((96, 64), (64, 96), (80, 64), (64, 80), (96, 48), (48, 96)),
    vocabulary=VOCABULARY_A,
    square_pictures=40_000,
    bucket_pictures=10_000,
    autoencoder=_autoencoder(64, (16, 32, 64)),
    crop_pixels=32,
    autoencoder_batch=16,
    autoencoder_minutes=20,
    unet=_unet(16, (32, 96, 160), 128),
    text_width=128,
    unet_batch=16,
    unet_learning_rate=1e-3,
    unet_minutes=65,
)
TIER_B = Tier(
    name="b",
    pixels=128,
    buckets=((192, 128), (128, 192), (160, 128), (128, 160), (192, 96), (96, 192)),
    vocabulary=VOCABULARY_B,
    square_pictures=300_000,
    bucket_pictures=20_000,
    autoencoder=_autoencoder(128, (32, 64, 96, 128)),
    crop_pixels=64,
    autoencoder_batch=32,
    autoencoder_minutes=5,
    unet=_unet(16, (64, 160, 256), 128),
    text_width=128,
    unet_batch=512,
    unet_learning_rate=6e-4,
    unet_minutes=9,
)
TIERS = {tier.name: tier for tier in (TIER_A, TIER_B)}
