"""What the start leaves out: it comes back when it is wanted, and what is remembered is what would be found."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generation.engine.import_scans import read_scan
from generation.models.catalog import REPOSITORY

# What transformers reads of its own models to learn what is in them.
HEAR = """
import json, sys
from pathlib import Path
read = []
def hear(event, arguments):
    if event == "open" and "/transformers/models/" in str(arguments[0]) and str(arguments[0]).endswith(".py"):
        read.append(arguments[0])
sys.addaudithook(hear)
"""
PAINT = """
import io
from PIL import Image
from generation.engine.start import create_engine
from generation.requests import Img2ImgRequest
from generation.settings import GenerationSettings

class Run:
    def enter(self, phase): pass
    def step(self, step, total_steps, preview=None): pass

engine = create_engine(GenerationSettings(model="demo", data_dir=Path(sys.argv[1])).for_child())
engine.preload()
picture = io.BytesIO()
Image.linear_gradient("L").resize((64, 64)).save(picture, "PNG")
request = Img2ImgRequest(
    image=picture.getvalue(), input_sha256="0" * 64, prompt="a lake", negative_prompt="", strength=0.5,
    guidance_scale=4.0, num_inference_steps=4, seed=1, count=1, max_pixels=64 * 64, model="demo",
    max_result_bytes=2**20, sampler="own", strength_schedule="noise", native=True,
)
assert engine.run(request, Run()).pictures
told = len(read)
"""
COMPARE = """
from generation.engine.import_scans import remember_scans
remember_scans(Path(sys.argv[1]))
import transformers
from transformers.utils import import_utils
define, models = import_utils.define_import_structure, Path(transformers.__file__).parent / "models"
read.clear()
found = [define(str(models / "__init__.py")), define(models, prefix="models")]
told = {"read": len(read)}
told["same"] = found == [define.__wrapped__(str(models / "__init__.py")), define.__wrapped__(models, prefix="models")]
told["other"] = define(str(models / "clip")) == define.__wrapped__(str(models / "clip"))
"""


def told(program: str, data_dir: Path) -> Any:
    """Return what a program says in a process of its own, as one that has imported nothing yet."""
    command = [sys.executable, "-c", f"{HEAR}{program}\nprint(json.dumps(told))", str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_later_start_reads_no_modules_to_learn_what_is_in_them(tmp_path: Path) -> None:
    assert told(PAINT, tmp_path) > 1000
    assert told(PAINT, tmp_path) < 100


def test_what_is_remembered_is_what_would_be_found(tmp_path: Path) -> None:
    for _ in range(2):
        assert told(COMPARE, tmp_path) == {"read": 0, "same": True, "other": True}


@pytest.mark.parametrize("kept", ["{", "[]", "{}", json.dumps({"of": ["0.1", "models"], "structure": [[[], {}]]})])
def test_what_is_damaged_or_of_another_version_is_not_believed(kept: str, tmp_path: Path) -> None:
    (tmp_path / "scan").write_text(kept)
    assert read_scan(tmp_path / "scan", Path("models")) is None
