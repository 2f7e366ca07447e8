"""The settings of the generator, and the versions recorded in a result."""

import os
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from generation.models.catalog import REPOSITORY
from generation.settings import GenerationSettings, settings_sentence
from generation.versions import VERSION, library_versions


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without .env, in an environment without our variables."""
    for name in GenerationSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_settings_come_from_the_environment_and_from_the_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / ".env").write_text("MODEL=sd-turbo\nDEVICE=cpu\nDISCORD_TOKEN=somebody-elses\nDTYPE=\n")
    monkeypatch.setenv("DEVICE", "mps")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    settings = GenerationSettings()
    assert (settings.model, settings.device, settings.dtype) == ("sd-turbo", "mps", "auto")
    assert "hf_secret" not in repr(settings)
    child = settings.for_child()
    assert child["hf_token"] == "hf_secret"
    assert child["data_dir"] == os.path.join(str(elsewhere), "data")


def test_an_amount_of_memory_is_written_with_its_unit(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_VRAM", "6GiB")
    assert GenerationSettings().for_child()["max_vram"] == 6 * 2**30
    monkeypatch.setenv("MAX_VRAM", "")
    assert GenerationSettings().for_child()["max_vram"] is None
    monkeypatch.setenv("MAX_VRAM", "6")  # bytes, although something else was meant
    with pytest.raises(ValidationError) as caught:
        GenerationSettings()
    assert settings_sentence(caught.value).startswith("MAX_VRAM in the environment or in .env cannot be used")


def test_a_wrong_setting_is_refused_with_one_sentence(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVICE", "toaster")
    with pytest.raises(ValidationError) as caught:
        GenerationSettings()
    assert settings_sentence(caught.value) == (
        "DEVICE in the environment or in .env cannot be used: it must be 'auto', 'cpu', 'cuda' or 'mps'."
    )


def test_all_settings_that_are_wrong_are_named_at_once(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVICE", "toaster")
    monkeypatch.setenv("SLOTS", "many")
    with pytest.raises(ValidationError) as caught:
        GenerationSettings()
    assert settings_sentence(caught.value) == (
        "2 settings in the environment or in .env cannot be used: DEVICE (it must be 'auto', 'cpu', 'cuda' or 'mps'),"
        " SLOTS (it must be a whole number)."
    )


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert set(library_versions()) == {"diffusers", "pillow", "torch", "transformers"}
