"""The smallest valid tokenizers and text encoders, built without a download.

Words are split into bytes (letters for T5): the vocabularies are small, and nothing has been trained.
"""

import string
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from generation.engine.loaded_models.picture_processor import PictureProcessor

CLIP_WIDTH = T5_WIDTH = 32
QWEN_WIDTH = 16
CLIP_TOKENS = 77
START, END = "<|startoftext|>", "<|endoftext|>"
IMAGE_TOKEN, VIDEO_TOKEN, VISION_START, VISION_END = (
    "<|image_pad|>",
    "<|video_pad|>",
    "<|vision_start|>",
    "<|vision_end|>",
)
QWEN_SPECIAL = (END, "<|im_start|>", "<|im_end|>", VISION_START, VISION_END, IMAGE_TOKEN, VIDEO_TOKEN)
CHAT_TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"


def clip_tokenizer() -> CLIPTokenizer:
    """Make CLIP's tokenizer over bytes."""
    symbols = sorted(ByteLevel.alphabet())
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), START, END]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=CLIP_TOKENS)


def clip_encoder(*, projected: bool = False) -> Any:
    """Make CLIP's text encoder; ``projected`` adds the projection that SD3 and Kandinsky need."""
    size = len(clip_tokenizer())
    config = CLIPTextConfig(
        vocab_size=size,
        hidden_size=CLIP_WIDTH,
        projection_dim=CLIP_WIDTH,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CLIP_TOKENS,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def t5_tokenizer() -> T5Tokenizer:
    """Make T5's tokenizer over letters."""
    letters = [(letter, -3.0) for letter in string.ascii_letters + string.digits + string.punctuation]
    return T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters], extra_ids=0)


def t5_encoder(width: int = T5_WIDTH) -> T5EncoderModel:
    """Make T5's encoder."""
    config = T5Config(vocab_size=len(t5_tokenizer()), d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    return T5EncoderModel(config).eval()


def qwen_tokenizer() -> Any:
    """Make Qwen's tokenizer over bytes, with its special tokens for pictures and turns."""
    symbols = [*sorted(ByteLevel.alphabet()), *QWEN_SPECIAL]
    return Qwen2Tokenizer(
        vocab={symbol: index for index, symbol in enumerate(symbols)},
        merges=[],
        additional_special_tokens=list(QWEN_SPECIAL[1:]),
        chat_template=CHAT_TEMPLATE,
    )


def _qwen3_config(layers: int) -> Qwen3Config:
    return Qwen3Config(
        hidden_size=QWEN_WIDTH,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=len(qwen_tokenizer()),
        max_position_embeddings=1024,
        bos_token_id=None,
        eos_token_id=None,
    )


def qwen3_model() -> Qwen3Model:
    """Make the encoder of Z-Image."""
    return Qwen3Model(_qwen3_config(2)).eval()


def qwen3_causal_model() -> Qwen3ForCausalLM:
    """Make the encoder of FLUX.2 Klein, which uses the output of its layer 27."""
    return Qwen3ForCausalLM(_qwen3_config(28)).eval()


def qwen_vl_model() -> Qwen2_5_VLForConditionalGeneration:
    """Make the encoder of Qwen-Image, which also sees the picture in the edit models."""
    ids: Any = {token: qwen_tokenizer().convert_tokens_to_ids(token) for token in QWEN_SPECIAL}
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": QWEN_WIDTH,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": len(qwen_tokenizer()),
            "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": QWEN_WIDTH,
        },
        image_token_id=ids[IMAGE_TOKEN],
        video_token_id=ids[VIDEO_TOKEN],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen_vl_processor() -> PictureProcessor:
    """Make the processor that turns a picture and text into Qwen's tokens, at most 16 per picture."""
    return PictureProcessor(
        Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}), qwen_tokenizer()
    )
