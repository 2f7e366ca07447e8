"""The two networks that are trained together, text encoder and UNet, and their noise schedule."""

from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.loop import channels_last, device, trains_on_bfloat16_cpu
from training.tiers import MAX_TOKENS, Tier


def scheduler() -> DDIMScheduler:
    """Return a cosine schedule: with small latents, SD's own schedule leaves the mean colour visible at the end."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )


class Denoiser(nn.Module):
    """The two networks that are trained together."""

    def __init__(self, tier: Tier, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        end = len(tokenizer) - 1  # the vocabulary ends with the start and end tokens; the latter also pads, as in CLIP
        config = CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=tier.text_width,
            intermediate_size=3 * tier.text_width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=end - 1,
            eos_token_id=end,
            pad_token_id=end,
        )
        self.text = CLIPTextModel(config)
        self.unet = UNet2DConditionModel(**tier.unet)
        if device().type == "cpu":
            # The backward pass of CPU flash attention took half of a step.
            self.text.set_attn_implementation("eager")
            self.unet.set_attn_processor(AttnProcessor())
        if not trains_on_bfloat16_cpu():  # with it, the contiguous format is a tenth faster
            channels_last(self.unet)

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Predict v (batch, 4, height, width) from noisy latents, timesteps (batch,) and tokens (batch, length)."""
        states = self.text(input_ids=tokens).last_hidden_state
        return self.unet(noisy, timesteps, states).sample
