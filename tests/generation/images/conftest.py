"""Real decode children, shared by the tests of a module where a fresh one would prove nothing more."""

from collections.abc import AsyncIterator

import pytest

from generation.images.decoder import ImageDecoder


@pytest.fixture(scope="module")
async def decoder() -> AsyncIterator[ImageDecoder]:
    # These tests are about results, not about how long a busy machine takes.
    async with ImageDecoder(deadline_seconds=120) as decoder:
        yield decoder
