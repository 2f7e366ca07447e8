"""Decoded pixels become the picture that diffusers would make of them, or an error."""

import pytest
import torch
from diffusers.image_processor import VaeImageProcessor

from generation.engine.base import BrokenOutput
from generation.engine.painting import checked_image

PIXELS = torch.rand(1, 3, 48, 80, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_picture_is_the_one_of_diffusers(dtype: torch.dtype) -> None:
    pixels = PIXELS.to(dtype).to(memory_format=torch.channels_last)
    expected = VaeImageProcessor.numpy_to_pil(VaeImageProcessor.pt_to_numpy(pixels))[0]
    image = checked_image(pixels)
    assert (image.mode, image.size) == ("RGB", (80, 48))
    assert image.tobytes() == expected.tobytes()


@pytest.mark.parametrize("broken", [torch.full_like(PIXELS, torch.nan), torch.zeros_like(PIXELS)])
def test_what_is_broken_is_no_picture(broken: torch.Tensor) -> None:
    with pytest.raises(BrokenOutput):
        checked_image(broken)
