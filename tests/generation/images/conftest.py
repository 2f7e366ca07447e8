"""Real decode children, shared by the tests of a module where a fresh one proves nothing more."""

from collections.abc import AsyncIterator

import pytest

from generation.images.decoder import ImageDecoder


@pytest.fixture(scope="module")
async def decoder() -> AsyncIterator[ImageDecoder]:
    # What comes out is asked here, not how long it takes on a machine that has other things to do.
    async with ImageDecoder(deadline_seconds=120) as decoder:
        yield decoder
