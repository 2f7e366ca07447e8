"""Small pictures for the classes that resize every picture to a megapixel, which would be the only slow part."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from diffusers.pipelines.flux import pipeline_flux_kontext
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus


@contextmanager
def small_areas() -> Iterator[None]:
    """Make these classes resize pictures to a 64th of the area."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus):
            original = module.calculate_dimensions
            patch.setattr(module, "calculate_dimensions", lambda area, ratio, of=original: of(area / 64, ratio))
        sizes = [(width // 8, height // 8) for width, height in pipeline_flux_kontext.PREFERRED_KONTEXT_RESOLUTIONS]
        patch.setattr(pipeline_flux_kontext, "PREFERRED_KONTEXT_RESOLUTIONS", sizes)
        yield
