"""Previews by a tiny autoencoder, where the catalog names one."""

import io
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image, ImageChops
from safetensors.torch import save_file

from generation.engine.diffusers_engine import DiffusersEngine, create_engine
from generation.engine.latents.previews import tiny_previewer
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog
from generation.settings import GenerationSettings
from tests.generation.engine.stock import tiny_request
from tests.generation.engine.test_caches import PreviewedRun

CPU, FLOAT32 = torch.device("cpu"), torch.float32


@pytest.fixture(scope="module")
def tiny() -> AutoencoderTiny:
    torch.manual_seed(0)
    return AutoencoderTiny().eval()


@pytest.fixture
def tiny_file(tiny: AutoencoderTiny, tmp_path: Path) -> Path:
    save_file(tiny.state_dict(), tmp_path / "taesd.safetensors")
    return tmp_path / "taesd.safetensors"


def difference(one: Image.Image, other: Image.Image) -> int:
    """Return the maximum difference of any channel."""
    bands = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getextrema()
    return max(int(high) for _, high in bands)  # type: ignore[misc, arg-type]


@torch.no_grad()
def test_a_preview_is_what_the_tiny_autoencoder_decodes(tiny: AutoencoderTiny, tiny_file: Path) -> None:
    latents = torch.randn(1, 4, 24, 32, generator=torch.Generator().manual_seed(1))
    shown = Image.open(io.BytesIO(tiny_previewer(tiny_file, CPU, FLOAT32).preview(latents).jpeg()))
    assert shown.format == "JPEG"
    assert shown.size == (256, 192)
    pixels = (tiny.decode(latents).sample[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)  # type: ignore[union-attr]
    buffer = io.BytesIO()
    Image.fromarray((pixels * 255).round().to(torch.uint8).numpy()).save(buffer, "JPEG", quality=80)
    assert difference(shown, Image.open(buffer)) == 0


@torch.no_grad()
def test_large_latents_are_shrunk_before_they_are_decoded(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, ...]] = []
    decode = AutoencoderTiny.decode
    monkeypatch.setattr(AutoencoderTiny, "decode", lambda self, x, **k: decoded.append(x.shape) or decode(self, x, **k))
    shown = Image.open(io.BytesIO(tiny_previewer(tiny_file, CPU, FLOAT32).preview(torch.randn(1, 4, 64, 48)).jpeg()))
    assert decoded == [(1, 4, 32, 24)]
    assert shown.size == (192, 256)


def preview_of(engine: DiffusersEngine) -> Image.Image:
    run = PreviewedRun()
    engine.run(tiny_request(model="ddim", seed=3), run)
    return Image.open(io.BytesIO(run.previews[0]))


def test_without_previews_none_are_made_and_nothing_is_fitted_for_them(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog
) -> None:
    engine = make_engine(Catalog({"ddim": tiny_catalog["ddim"]}), previews=False)
    run = PreviewedRun()
    assert engine.run(tiny_request(model="ddim", seed=3), run).pictures
    assert run.previews == []
    assert engine._loop._caches.previewers == {}


@pytest.mark.parametrize("previews", [True, False])
def test_the_setting_reaches_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, previews: bool) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # the code under test adds to it
    engine = create_engine(GenerationSettings(previews=previews, data_dir=tmp_path).for_child())
    try:
        assert engine._has_previews == previews
    finally:
        engine.close()


def catalog_with(tiny_catalog: Catalog, path: Path) -> Catalog:
    file = AddOnFile(model="ddim", add_on="tiny autoencoder", path=path)
    return Catalog({"ddim": replace(tiny_catalog["ddim"], tiny_autoencoder=file)})


def test_the_engine_shows_what_the_tiny_autoencoder_makes(
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
    tiny_file: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft = preview_of(make_engine(Catalog({"ddim": tiny_catalog["ddim"]})))
    with caplog.at_level(logging.WARNING):
        sharp = preview_of(make_engine(catalog_with(tiny_catalog, tiny_file)))
    assert caplog.messages == []
    assert sharp.size == soft.size == (256, 256)
    assert difference(sharp, soft) > 50


@pytest.mark.parametrize("holds", ["nothing", "something else", "no tensors"])
def test_without_a_good_file_previews_are_soft_and_the_log_says_why(
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    holds: str,
) -> None:
    path = tmp_path / "taesd.safetensors"
    if holds == "something else":
        save_file({"weight": torch.zeros(2)}, path)
    elif holds == "no tensors":
        path.write_bytes(b"not safetensors")
    soft = preview_of(make_engine(Catalog({"ddim": tiny_catalog["ddim"]})))
    with caplog.at_level(logging.WARNING):
        shown = preview_of(make_engine(catalog_with(tiny_catalog, path)))
    assert difference(shown, soft) < 10  # two fits of one map differ in the last digits
    assert len(caplog.messages) == 1
    assert "taesd.safetensors of the tiny autoencoder of" in caplog.messages[0]
