"""Which class loads a model, and what is imported for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from generation.engine.loading import pipeline_class
from generation.models.catalog import REPOSITORY
from generation.models.families import FAMILIES, Family


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
