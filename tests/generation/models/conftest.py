"""A stand-in for the hub that serves the test module's ``FILES``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from generation.models.hub import Hub
from generation.settings import GenerationSettings
from tests.generation.hub_server import HubServer


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[HubServer]:
    with HubServer(dict(request.module.FILES)) as server:
        yield server


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    return Hub(token="hf_secret", endpoint=server.url, cache_dir=tmp_path / "cache")


@pytest.fixture
def settings(tmp_path: Path) -> GenerationSettings:
    return GenerationSettings(data_dir=tmp_path / "data", model="demo")
