"""What turns a picture and text into Qwen's tokens, without the part for videos.

``Qwen2VLProcessor`` requires a video processor, and that requires torchvision, for videos that nobody sends here. The
part for pictures runs on Pillow.
"""

from pathlib import Path
from typing import Any

from transformers import Qwen2Tokenizer, Qwen2VLImageProcessorPil, Qwen2VLProcessor
from transformers.processing_utils import ProcessorMixin

_IMAGE_TOKEN, _VIDEO_TOKEN = "<|image_pad|>", "<|video_pad|>"


class PictureProcessor(Qwen2VLProcessor):
    """Qwen's processor for pictures and text."""

    # transformers reads the components from this signature, so there is no video processor.
    def __init__(
        self, image_processor: Qwen2VLImageProcessorPil, tokenizer: Any, chat_template: str | None = None
    ) -> None:
        self.image_token, self.video_token = _IMAGE_TOKEN, _VIDEO_TOKEN
        self.image_token_id = tokenizer.convert_tokens_to_ids(_IMAGE_TOKEN)
        self.video_token_id = tokenizer.convert_tokens_to_ids(_VIDEO_TOKEN)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def load_picture_processor(folder: Path) -> PictureProcessor:
    """Load it from a model's ``processor`` folder; raise OSError or ValueError for files that cannot be used."""
    return PictureProcessor(
        Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True),
        Qwen2Tokenizer.from_pretrained(folder, local_files_only=True),
    )
