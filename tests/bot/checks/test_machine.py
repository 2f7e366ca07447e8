"""What ``python -m bot check`` reports about this machine."""

import dataclasses
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.checks.findings import Verdict
from bot.checks.machine import cache_finding, data_dir_finding, machine_findings, model_finding
from bot.checks.safety import safety_finding
from bot.settings import Settings
from bot.storage.database import DATABASE_NAME, Database
from generation.child import confinement
from generation.errors import ExecutorError
from generation.executors.probe import ProbedDevice
from generation.models.adapters import adapters_of
from generation.models.catalog import Catalog, load_catalog
from generation.safety.checker import PictureChecker
from generation.settings import PACKAGED_MODELS_FILE
from tests.bot.checks.conftest import changed
from tests.tiny_adapters import save_tiny_adapter

GIBIBYTE = 2**30


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog(PACKAGED_MODELS_FILE)


def test_a_data_folder_that_can_be_written_is_left_as_it_was(settings: Settings) -> None:
    finding = data_dir_finding(settings)
    assert (finding.verdict, finding.check) == (Verdict.OK, "data")
    assert not settings.data_dir.exists()


def test_a_data_folder_that_cannot_be_written_fails(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    finding = data_dir_finding(changed(settings, data_dir=tmp_path / "file" / "data"))
    assert finding.verdict is Verdict.FAIL
    assert "DATA_DIR" in finding.remedy


@pytest.mark.parametrize(("is_newer", "words"), [(True, "newer version"), (False, "cannot be read")])
async def test_a_database_that_cannot_be_used_fails(settings: Settings, is_newer: bool, words: str) -> None:
    async with Database(settings.data_dir) as database:
        await database.run(lambda connection: connection.execute("PRAGMA user_version = 1000"))
    database_file = settings.data_dir / DATABASE_NAME
    if not is_newer:
        database_file.write_text("something else" * 100)
    before = sorted(settings.data_dir.iterdir()), database_file.read_bytes()
    finding = data_dir_finding(settings)
    assert finding.verdict is Verdict.FAIL
    assert words in finding.message
    assert (sorted(settings.data_dir.iterdir()), database_file.read_bytes()) == before


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("bot.checks.machine.cache_folder", lambda: tmp_path / "file" / "hub")
    finding = cache_finding()
    assert finding.verdict is Verdict.WARN
    assert "HF_HOME" in finding.remedy


async def test_a_data_folder_of_a_running_bot_is_told(settings: Settings) -> None:
    async with Database(settings.data_dir):
        finding = data_dir_finding(settings)
        assert finding.verdict is Verdict.WARN
        assert "A bot is using" in finding.message
    assert data_dir_finding(settings).verdict is Verdict.OK


def test_a_full_disk_is_told(settings: Settings) -> None:
    finding = data_dir_finding(changed(settings, spool_max_bytes=2**60))
    assert finding.verdict is Verdict.WARN
    assert "SPOOL_MAX_BYTES" in finding.remedy


def test_the_model_of_this_repository_is_here(settings: Settings, catalog: Catalog) -> None:
    assert model_finding(settings, catalog).verdict is Verdict.OK


def test_an_adapter_that_is_not_here_is_told(settings: Settings, catalog: Catalog, tmp_path: Path) -> None:
    rows = {"ink": {"hub": "a/ink"}, "clay": {"file": str(tmp_path / "clay.safetensors")}}
    adapters = adapters_of(rows, model="demo", root=tmp_path)
    finding = model_finding(settings, Catalog({"demo": dataclasses.replace(catalog["demo"], adapters=adapters)}))
    assert finding.verdict is Verdict.WARN
    assert "adapter ink of demo hasn't been downloaded yet" in finding.message
    assert "clay.safetensors" in finding.message


@pytest.mark.parametrize("half", [True, False])
def test_an_adapter_that_is_none_is_told(settings: Settings, catalog: Catalog, tmp_path: Path, half: bool) -> None:
    file = save_tiny_adapter(tmp_path, seed=0)
    adapters = adapters_of({"ink": {"file": str(file)}}, model="demo", root=tmp_path)
    ours = Catalog({"demo": dataclasses.replace(catalog["demo"], adapters=adapters)})
    assert model_finding(settings, ours).verdict is Verdict.OK
    file.write_bytes(file.read_bytes()[:-1] if half else b"<!DOCTYPE html>" * 100)
    finding = model_finding(settings, ours)
    assert finding.verdict is Verdict.WARN
    assert (
        f"The file {file.name} of the adapter ink of demo is incomplete or isn't a safetensors file" in finding.message
    )


def test_a_model_that_is_unknown_or_gone_fails(settings: Settings, catalog: Catalog, tmp_path: Path) -> None:
    unknown = model_finding(changed(settings, model="sd-trubo"), catalog)
    assert unknown.verdict is Verdict.FAIL
    assert "sd-turbo" in unknown.message
    gone = Catalog({"demo": dataclasses.replace(catalog["demo"], folder=tmp_path / "nowhere")})
    assert model_finding(settings, gone).verdict is Verdict.FAIL


def test_a_model_that_is_not_here_comes_with_the_command_that_fetches_it(settings: Settings, catalog: Catalog) -> None:
    entry = dataclasses.replace(catalog["sd-turbo"], memory_bytes=1)
    chosen = changed(settings, model="sd-turbo")
    finding = model_finding(chosen, Catalog({"sd-turbo": entry}))
    assert finding.verdict is Verdict.WARN
    assert "python -m generation download sd-turbo" in finding.remedy
    too_large = model_finding(chosen, Catalog({"sd-turbo": dataclasses.replace(entry, memory_bytes=2**60)}))
    assert too_large.verdict is Verdict.FAIL
    assert "HF_HOME" in too_large.remedy
    gated = model_finding(chosen, Catalog({"sd-turbo": dataclasses.replace(entry, gated=True)}))
    assert gated.verdict is Verdict.FAIL
    assert all(word in gated.line() for word in (entry.licence, f"https://huggingface.co/{entry.hub_id}", "HF_TOKEN"))
    with_token = changed(chosen, hf_token=SecretStr("hf_x"))
    assert model_finding(with_token, Catalog({"sd-turbo": dataclasses.replace(entry, gated=True)})).verdict is (
        Verdict.WARN
    )


def card(gibibytes: float) -> ProbedDevice:
    return ProbedDevice(
        device="cuda", dtype="bfloat16", name="Some Card", memory_bytes=round(gibibytes * GIBIBYTE), torch="2.13.0"
    )


async def test_the_card_decides_which_model_is_recommended(settings: Settings, catalog: Catalog) -> None:
    _, device, advice = await machine_findings(settings, catalog, card(12))
    assert "Some Card with 12.0 GiB" in device.message
    assert (advice.verdict, "MODEL=stable-diffusion-xl" in advice.message) == (Verdict.OK, True)
    *_, advice = await machine_findings(changed(settings, model="z-image-turbo"), catalog, card(12))
    assert (advice.verdict, "MODEL=stable-diffusion-xl" in advice.remedy) == (Verdict.WARN, True)
    *_, advice = await machine_findings(changed(settings, model="z-image-turbo"), catalog, card(24))
    assert (advice.verdict, "is the best model" in advice.message) == (Verdict.OK, True)
    assert "going by the catalog's figures" in advice.message


async def test_a_model_that_is_here_is_measured_by_its_files(settings: Settings, catalog: Catalog) -> None:
    wrong = Catalog({**catalog, "demo": dataclasses.replace(catalog["demo"], memory_bytes=2**60)})
    *_, advice = await machine_findings(changed(settings, model="demo"), wrong, card(12))
    assert advice.verdict is Verdict.OK
    gone = Catalog({**wrong, "demo": dataclasses.replace(wrong["demo"], folder=None, hub_id="a/demo")})
    *_, advice = await machine_findings(changed(settings, model="demo"), gone, card(12))
    assert (advice.verdict, "according to the catalog" in advice.message) == (Verdict.WARN, True)
    smallest = dataclasses.replace(catalog["sd-turbo"], memory_bytes=1)
    *_, advice = await machine_findings(
        changed(settings, model="demo"), Catalog({**catalog, "sd-turbo": smallest}), card(0.01)
    )
    assert (advice.verdict, "according to the catalog" in advice.message) == (Verdict.WARN, False)


async def test_a_device_that_cannot_be_used_fails(settings: Settings, catalog: Catalog) -> None:
    *_, device = await machine_findings(settings, catalog, ExecutorError("DEVICE is cuda, but there is none"))
    assert device.verdict is Verdict.FAIL
    assert "DEVICE is cuda" in device.message


async def test_pictures_can_be_checked_or_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, words in ((7, "are confined."), (0, "are not confined")):
        monkeypatch.setattr(confinement, "version", lambda version=version: version)
        found = await safety_finding(PictureChecker())
        assert found.verdict is Verdict.OK
        assert words in found.message
    absent = await safety_finding(PictureChecker(worker="tests.no_such_module"))
    assert absent.verdict is Verdict.FAIL
    assert "not_started" in absent.message
