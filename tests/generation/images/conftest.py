"""Real decode children, shared by the tests of a module where a fresh one proves nothing more."""

from collections.abc import AsyncIterator

import pytest

from generation.images.decoder import ImageDecoder


@pytest.fixture(scope="module")
async def decoder() -> AsyncIterator[ImageDecoder]:
    async with ImageDecoder() as decoder:
        yield decoder
