"""Which class loads a model, what is imported for it, and the errors for files that are not a model."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline

from generation.engine.diffusers_engine import create_engine
from generation.engine.loaded_models.loading import load_model, pipeline_class
from generation.errors import ModelUnavailable
from generation.models.catalog import REPOSITORY, Catalog
from generation.models.families import FAMILIES, Family
from generation.models.memory_plan import MemoryPlan
from generation.models.snapshots import ModelFiles
from generation.settings import GenerationSettings
from tests.generation.engine.conftest import tiny_entry


def made_for(folder: Path, name: str) -> Path:
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name, "_diffusers_version": "0.42.1"}))
    return folder


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_the_class_is_the_one_that_diffusers_would_choose(family: Family, tmp_path: Path) -> None:
    from diffusers.pipelines.auto_pipeline import AUTO_IMAGE2IMAGE_PIPELINES_MAPPING, _get_task_class

    for name in {family.pipeline_class, family.pipeline_class.replace("Img2Img", "")}:
        chosen = pipeline_class(made_for(tmp_path, name), family)
        assert chosen.__name__ == family.pipeline_class
        assert chosen is _get_task_class(AUTO_IMAGE2IMAGE_PIPELINES_MAPPING, name)


def test_a_model_made_for_something_else_is_left_to_diffusers(tmp_path: Path) -> None:
    folder = made_for(tmp_path, "StableDiffusionInpaintPipeline")
    assert pipeline_class(folder, FAMILIES["stable-diffusion"]).__name__ == "AutoPipelineForImage2Image"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("unet/diffusion_pytorch_model.safetensors", lambda data: data[: len(data) // 2]),
        ("text_encoder/model.safetensors", lambda data: data[: len(data) // 2]),
        ("text_encoder/model.safetensors", lambda data: b""),
        ("text_encoder/config.json", lambda data: b"{}"),
        ("model_index.json", lambda data: b"{}"),
        ("model_index.json", lambda data: b"<html>"),
    ],
)
def test_broken_files_are_told_as_such(
    tiny_catalog: Catalog, tmp_path: Path, file: str, change: Callable[[bytes], bytes]
) -> None:
    folder = shutil.copytree(tiny_catalog["ddim"].folder or "", tmp_path / "broken")
    (folder / file).write_bytes(change((folder / file).read_bytes()))
    with pytest.raises(ModelUnavailable, match="not_a_model"):
        load_tiny(folder)


def test_want_of_memory_says_nothing_about_the_files(tiny_catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(StableDiffusionImg2ImgPipeline, "from_pretrained", fail)
    with pytest.raises(torch.OutOfMemoryError):
        load_tiny(tiny_catalog["ddim"].folder or Path())


def load_tiny(folder: Path) -> None:
    cpu, plan = torch.device("cpu"), MemoryPlan(device="cpu", dtype="float32", batch_width=2)
    load_model(tiny_entry("broken", folder), ModelFiles(folder, ""), cpu, torch.float32, plan, lambda _: folder)


@pytest.mark.parametrize(("dtype", "is_exact"), [("float32", True), ("bfloat16", False)])
def test_who_asks_for_float32_gets_it(
    dtype: Literal["float32", "bfloat16"], is_exact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # the code under test adds to it
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", is_exact)
    create_engine(GenerationSettings(dtype=dtype, data_dir=tmp_path).for_child()).close()
    assert torch.backends.cudnn.allow_tf32 == (not is_exact)


def test_what_is_compiled_is_kept_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"TRITON_CACHE_DIR": "the operator's own"})
    create_engine(GenerationSettings(data_dir=tmp_path).for_child()).close()
    assert os.environ["TRITON_CACHE_DIR"] == "the operator's own"
    assert Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]) == tmp_path / "kernels"


def test_loading_a_model_imports_no_other_families() -> None:
    program = (
        "import sys, tempfile, torch\n"
        "from pathlib import Path\n"
        "from generation.engine.diffusers_engine import create_engine\n"
        "from generation.settings import GenerationSettings\n"
        "engine = create_engine(GenerationSettings(model='demo', data_dir=Path(tempfile.mkdtemp())).for_child())\n"
        "engine.preload()\n"
        "engine.close()\n"
        "pipelines = {name.split('.')[2] for name in sys.modules if name.startswith('diffusers.pipelines.')}\n"
        "print(sorted(pipelines & {'auto_pipeline', 'flux', 'qwenimage', 'stable_diffusion_xl'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
