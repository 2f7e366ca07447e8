"""The preview map is fitted once: a later start reuses it, and fits again if it cannot be used."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.latents.preview_maps import MAPS_NAME, PreviewMaps
from generation.versions import VERSION
from tests.generation.engine.latents.test_previews import difference
from tests.generation.engine.stock import tiny_request
from tests.generation.engine.test_caches import PreviewedRun

# Makes every preview red, whatever the latents are.
RED = [[0.0, 0.0, 0.0]] * 4 + [[1.0, 0.0, 0.0]]


def preview_of(engine: DiffusersEngine) -> Image.Image:
    run = PreviewedRun()
    engine.run(tiny_request(seed=3), run)
    return Image.open(io.BytesIO(run.previews[0]))


def kept(data_dir: Path) -> dict[str, list[list[float]]]:
    return json.loads((data_dir / MAPS_NAME).read_text())["maps"]


def keep(data_dir: Path, maps: object, version: str = VERSION) -> None:
    (data_dir / MAPS_NAME).write_text(json.dumps({"of": version, "maps": maps}))


def test_a_later_start_shows_by_the_map_that_was_kept(
    make_engine: Callable[..., DiffusersEngine], tmp_path: Path
) -> None:
    first = preview_of(make_engine(data_dir=tmp_path))
    ((fitted_to, coefficients),) = kept(tmp_path).items()
    assert fitted_to.startswith("ddim ")
    assert fitted_to.endswith(" torch.float32")
    assert PreviewMaps(tmp_path).get(fitted_to, 4).tolist() == coefficients  # type: ignore[union-attr]
    assert preview_of(make_engine(data_dir=tmp_path)).tobytes() == first.tobytes()
    keep(tmp_path, {fitted_to: RED})
    red = preview_of(make_engine(data_dir=tmp_path))
    assert difference(red, Image.new("RGB", red.size, "red")) < 5


@pytest.mark.parametrize("other", ["number format", "version", "shape", "no numbers", "NaN"])
def test_what_was_fitted_to_something_else_or_is_damaged_is_fitted_again(
    make_engine: Callable[..., DiffusersEngine], tmp_path: Path, other: str
) -> None:
    first = preview_of(make_engine(data_dir=tmp_path))
    ((fitted_to, _),) = kept(tmp_path).items()
    match other:
        case "number format":
            keep(tmp_path, {fitted_to.replace("float32", "float16"): RED})
        case "version":
            keep(tmp_path, {fitted_to: RED}, version="0.0.1")
        case "shape":
            keep(tmp_path, {fitted_to: RED[1:]})
        case "no numbers":
            keep(tmp_path, {fitted_to: [["red"]]})
        case _:
            keep(tmp_path, {fitted_to: [[float("nan")] * 3, *RED[1:]]})
    assert difference(preview_of(make_engine(data_dir=tmp_path)), first) < 10  # two fits differ in the last digits
    assert kept(tmp_path)[fitted_to] != RED


@pytest.mark.parametrize("text", ["{", "[]", "{}", f'{{"of": "{VERSION}", "maps": [1]}}'])
def test_a_damaged_file_is_written_anew(text: str, tmp_path: Path) -> None:
    (tmp_path / MAPS_NAME).write_text(text)
    maps = PreviewMaps(tmp_path)
    assert maps.get("demo", 4) is None
    maps.put("demo", torch.tensor(RED))
    assert PreviewMaps(tmp_path).get("demo", 4).tolist() == RED  # type: ignore[union-attr]


def test_what_an_autoencoder_made_that_fails_is_not_kept_nor_more_than_a_few_maps(tmp_path: Path) -> None:
    maps = PreviewMaps(tmp_path)
    maps.put("broken", torch.full((5, 3), float("nan")))
    assert maps.get("broken", 4) is None
    for number in range(100):
        maps.put(f"model {number}", torch.tensor(RED))
    assert list(kept(tmp_path)) == [f"model {number}" for number in range(36, 100)]


def test_where_nothing_can_be_written_a_map_is_fitted_at_every_start(
    make_engine: Callable[..., DiffusersEngine], tmp_path: Path
) -> None:
    (tmp_path / MAPS_NAME).mkdir()
    first = preview_of(make_engine(data_dir=tmp_path))
    assert difference(preview_of(make_engine(data_dir=tmp_path)), first) < 10
    PreviewMaps().put("demo", torch.tensor(RED))
    assert PreviewMaps().get("demo", 4) is None
