"""Every family in the engine, on a random pipeline: its own class's picture, steps as announced, cancellation.

``PLAIN`` and ``NEGATIVE`` write out by hand how each class has to be called, so that a wrong row of the table shows.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from generation.engine.base import RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.catalog import Catalog
from generation.models.families import FAMILIES
from generation.models.hub import Hub
from generation.models.memory_plan import MemoryPlan
from generation.models.sizes import read_sizes
from generation.phases import Phase
from generation.requests import MAX_SIZE, Img2ImgRequest
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.engine.test_diffusers_engine import gradient
from tests.generation.samples import request
from tests.tiny_families.areas import small_areas
from tests.tiny_families.pipelines import TINY_FAMILIES, save_tiny_family

WIDTH, HEIGHT = 96, 64
# The calls with and without a negative prompt; strength 0.55 of 6 steps, guidance 3.
PLAIN: dict[str, dict[str, Any]] = {
    "stable-diffusion": {"strength": 0.55, "guidance_scale": 3.0, "negative_prompt": None},
    "stable-diffusion-xl": {"strength": 0.55, "guidance_scale": 3.0, "negative_prompt": None},
    "stable-diffusion-3": {
        "strength": 0.55,
        "guidance_scale": 3.0,
        "negative_prompt": None,
        "width": WIDTH,
        "height": HEIGHT,
    },
    "flux": {"strength": 0.55, "guidance_scale": 3.0, "width": WIDTH, "height": HEIGHT},
    "flux-kontext": {"guidance_scale": 3.0, "width": WIDTH, "height": HEIGHT, "max_area": WIDTH * HEIGHT},
    "flux-2-klein": {"guidance_scale": 3.0, "width": WIDTH, "height": HEIGHT},
    "qwen-image": {
        "strength": 0.55,
        "true_cfg_scale": 3.0,
        "negative_prompt": " ",
        "width": WIDTH,
        "height": HEIGHT,
    },
    "qwen-image-edit": {"true_cfg_scale": 3.0, "negative_prompt": " ", "width": WIDTH, "height": HEIGHT},
    "qwen-image-edit-plus": {"true_cfg_scale": 3.0, "negative_prompt": " ", "width": WIDTH, "height": HEIGHT},
    "z-image": {"strength": 0.55, "guidance_scale": 3.0, "negative_prompt": None, "width": WIDTH, "height": HEIGHT},
    "kandinsky-2-2": {
        "strength": 0.55,
        "guidance_scale": 3.0,
        "negative_prompt": None,
        "width": HEIGHT,  # the class mixes them up
        "height": WIDTH,
        "callback_steps": None,
    },
    "kandinsky-3": {"strength": 0.55, "guidance_scale": 3.0, "negative_prompt": None},
}
NEGATIVE: dict[str, dict[str, Any]] = {
    **{name: {**call, "negative_prompt": "rain"} for name, call in PLAIN.items() if name != "flux-2-klein"},
    "flux": {**PLAIN["flux"], "negative_prompt": "rain", "true_cfg_scale": 4.0},
    "flux-kontext": {**PLAIN["flux-kontext"], "negative_prompt": "rain", "true_cfg_scale": 4.0},
}
# 6 steps at strength 0.55 are 3.3, which some classes round up.
STEPS = {
    "stable-diffusion": 3,
    "stable-diffusion-xl": 3,
    "stable-diffusion-3": 4,
    "flux": 4,
    "flux-kontext": 6,
    "flux-2-klein": 6,
    "qwen-image": 4,
    "qwen-image-edit": 6,
    "qwen-image-edit-plus": 6,
    "z-image": 4,
    "kandinsky-2-2": 3,
    "kandinsky-3": 3,
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Use one thread: two are slower for tensors this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def _small_areas() -> Iterator[None]:
    with small_areas():
        yield


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("families")
    return Catalog(
        {
            name: replace(tiny_entry(name, save_tiny_family(name, folder / name)), family=name, multiple=16)
            for name in TINY_FAMILIES
        }
    )


@pytest.fixture(scope="module")
def engine(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> DiffusersEngine:
    return DiffusersEngine(
        catalog=catalog,
        default_model="stable-diffusion",
        data_dir=tmp_path_factory.mktemp("data"),
        hub=Hub(),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def wanted(name: str, **changes: Any) -> Img2ImgRequest:
    fields: dict[str, Any] = {
        "image": gradient(WIDTH, HEIGHT),
        "model": name,
        "native": True,
        "strength": FAMILIES[name].strength_for(0.55),
        "guidance_scale": 3.0,
        "num_inference_steps": 6,
        "max_pixels": WIDTH * HEIGHT,
        **changes,
    }
    return request("a cat on grass", **fields)


def folder_of(catalog: Catalog, name: str) -> Path:
    folder = catalog[name].folder
    assert folder is not None
    return folder


@cache
def called_directly(name: str, folder: Path, *, negative: bool = False) -> Image.Image:
    """Call the family's own class, with the arguments of the tables above.

    Its weights come from the same files as the engine's. The file determines where a weight is in memory, and depending
    on that, some CPUs choose another way of computing and round differently.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = TINY_FAMILIES[name]()
    for part, component in pipeline.components.items():
        if isinstance(component, torch.nn.Module):
            kind: Any = type(component)
            setattr(pipeline, part, kind.from_pretrained(folder / part))
    pipeline.set_progress_bar_config(disable=True)
    with Image.open(io.BytesIO(gradient(WIDTH, HEIGHT))) as image:
        picture = image.convert("RGB")
    return pipeline(
        prompt="a cat on grass",
        image=picture,
        num_inference_steps=6,
        generator=torch.Generator("cpu").manual_seed(7),
        **(NEGATIVE if negative else PLAIN)[name],
    ).images[0]


def test_every_family_has_run_here() -> None:
    assert set(TINY_FAMILIES) == set(FAMILIES) == set(PLAIN) == set(STEPS)


@pytest.mark.parametrize("name", list(TINY_FAMILIES))
def test_the_picture_is_the_one_that_its_own_class_paints(engine: DiffusersEngine, catalog: Catalog, name: str) -> None:
    run = RecordedRun()
    asked = wanted(name)
    result = engine.run(asked, run)
    with Image.open(io.BytesIO(result.pictures[0].data)) as painted:
        assert painted.size == (WIDTH, HEIGHT)
        assert painted.tobytes() == called_directly(name, folder_of(catalog, name)).tobytes()
    steps = [told for told in run.told if isinstance(told, tuple)]
    assert steps == [(step, STEPS[name]) for step in range(1, STEPS[name] + 1)]
    assert engine.total_steps(asked) == STEPS[name] == result.pictures[0].parameters["denoising_steps"]


@pytest.mark.parametrize(("name", "steps"), [("stable-diffusion-3", (3, 4, 5)), ("kandinsky-2-2", (2, 3, 4))])
def test_each_picture_of_a_ladder_has_its_own_strength(
    engine: DiffusersEngine, name: str, steps: tuple[int, ...]
) -> None:
    run, strengths = RecordedRun(), (0.45, 0.6, 0.75)
    asked = wanted(name, strength=0.45, strengths=strengths, count=3)
    pictures = engine.run(asked, run).pictures
    for index, picture in enumerate(pictures):
        assert picture.data == engine.run(wanted(name, strength=strengths[index]), RecordedRun()).pictures[0].data
    assert tuple(picture.parameters["denoising_steps"] for picture in pictures) == steps
    told = [told for told in run.told if isinstance(told, tuple)]
    assert told == [(step, sum(steps)) for step in range(1, sum(steps) + 1)]
    assert engine.total_steps(asked) == sum(steps)


@pytest.mark.parametrize("name", list(NEGATIVE))
def test_a_negative_prompt_is_heeded(engine: DiffusersEngine, catalog: Catalog, name: str) -> None:
    folder = folder_of(catalog, name)
    result = engine.run(wanted(name, negative_prompt="rain"), RecordedRun())
    with Image.open(io.BytesIO(result.pictures[0].data)) as painted:
        assert painted.tobytes() == called_directly(name, folder, negative=True).tobytes()
        assert painted.tobytes() != called_directly(name, folder).tobytes()


@pytest.mark.parametrize("name", list(TINY_FAMILIES))
def test_its_size_is_read_from_its_files(catalog: Catalog, name: str) -> None:
    folder = catalog[name].folder
    assert folder is not None
    sizes = read_sizes(folder)
    modules = {
        part: sum({tensor.data_ptr(): tensor.numel() for tensor in module.state_dict().values()}.values())
        for part, module in TINY_FAMILIES[name]().components.items()
        if isinstance(module, torch.nn.Module)
    }
    assert set(sizes.parameters) == set(modules)
    # Without tiling support, a plan with tiles gains nothing.
    assert (sizes.tile_pixels > MAX_SIZE) == (
        not hasattr(getattr(TINY_FAMILIES[name](), sizes.autoencoder), "use_tiling")
    )
    for part, count in modules.items():
        assert sizes.parameters[part] == pytest.approx(count, rel=0.03)
    plan = MemoryPlan(device="cuda", dtype="bfloat16", batch_width=2)
    assert plan.device_bytes(sizes, WIDTH * HEIGHT) > 2 * sum(modules.values())


@pytest.mark.parametrize("name", list(TINY_FAMILIES))
def test_cancel_at_step_2_ends_it(engine: DiffusersEngine, name: str) -> None:
    run = RecordedRun(cancel_at_step=2)
    with pytest.raises(RunCancelled):
        engine.run(wanted(name), run)
    assert run.told[-1] == (2, STEPS[name])


def test_the_prior_of_kandinsky_is_a_phase_of_its_own(engine: DiffusersEngine) -> None:
    run = RecordedRun()
    engine.run(wanted("kandinsky-2-2"), run)
    assert run.told[:2] == [Phase.LOAD, Phase.ENCODE]
    assert run.told[2:27] == [Phase.PRIOR] * 25  # the class's default
    assert run.told[27] == (1, 3)
