"""What the startup skips: it is there when it is needed, and what was cached equals what would be found."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generation.engine.kernels.probe_answers import ANSWERS_NAME
from generation.engine.quick_start.import_scans import read_scan
from generation.models.catalog import REPOSITORY
from generation.settings import PACKAGED_MODELS_FILE

# Records what transformers reads of its own models to find out what is in them.
HEAR = """
import json, sys
from pathlib import Path
read = []
def hear(event, arguments):
    if event == "open" and "/transformers/models/" in str(arguments[0]) and str(arguments[0]).endswith(".py"):
        read.append(arguments[0])
sys.addaudithook(hear)
"""
# Needed only for compiling, for distributed computing, and for meta tensors.
NEEDLESS = ("torch._dynamo.convert_frame", "torch.distributed.tensor", "sympy")
PAINT = (
    f"NEEDLESS = {NEEDLESS}"
    + """
import io
from PIL import Image
from generation.engine.start import create_engine
from generation.requests import Img2ImgRequest
from generation.settings import GenerationSettings

class Run:
    def enter(self, phase): pass
    def step(self, step, total_steps, preview=None): pass

models = {"models_file": Path(sys.argv[2])} if sys.argv[2:] else {}
engine = create_engine(GenerationSettings(model="demo", data_dir=Path(sys.argv[1]), **models).for_child())
engine.preload()
picture = io.BytesIO()
Image.linear_gradient("L").resize((64, 64)).save(picture, "PNG")
request = Img2ImgRequest(
    image=picture.getvalue(), input_sha256="0" * 64, prompt="a lake", negative_prompt="", strength=0.5,
    guidance_scale=4.0, num_inference_steps=4, seed=1, count=1, max_pixels=64 * 64, model="demo",
    max_result_bytes=2**20, sampler="own", strength_schedule="noise", native=True,
)
assert engine.run(request, Run()).pictures
told = {"read": len(read), "needless": [name for name in NEEDLESS if name in sys.modules]}
told["peft"] = sys.modules.get("peft") is not None
"""
)
COMPILE = """
import torch
from diffusers.models.attention import BasicTransformerBlock
torch_compiler, frames, mark = torch._dynamo, torch._dynamo.eval_frame, torch._dynamo.allow_in_graph
early, late = type("Early", (), {}), type("Late", (), {})
mark(early)
told["compiled"] = torch.compile(lambda values: 2 * values, backend="eager")(torch.ones(2)).tolist()
mark(late)
is_marked = torch_compiler.trace_rules.is_callable_allowed
told["marked"] = [is_marked(each) for each in (BasicTransformerBlock, early, late)]
told["is_one"] = torch._dynamo is sys.modules["torch._dynamo"] is torch_compiler
told["is_one"] &= frames.optimize is torch._dynamo.optimize
told["is_whole"] = torch._dynamo.backends.registry.__spec__.loader is not None and bool(torch._dynamo.list_backends())
"""
COMPARE = """
from generation.engine.quick_start.import_scans import remember_scans
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


def told(program: str, *arguments: Path, also_installed: Path | None = None) -> Any:
    """Return the output of a program in a new process, which has not imported anything yet."""
    command = [sys.executable, "-c", f"{HEAR}{program}\nprint(json.dumps(told))", *map(str, arguments)]
    environment = os.environ | ({"PYTHONPATH": str(also_installed)} if also_installed else {})
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_picture_needs_no_compiler_and_no_company_and_a_later_start_no_scan(tmp_path: Path) -> None:
    first, later = told(PAINT, tmp_path), told(PAINT, tmp_path)
    assert (first["read"] > 1000, later["read"] < 100) == (True, True)
    assert (first["needless"], later["needless"]) == ([], [])
    assert (first["peft"], later["peft"]) == (False, False)
    assert "bfloat16_pays cpu" in json.loads((tmp_path / ANSWERS_NAME).read_text())["answers"]


def test_a_catalog_with_adapters_has_what_they_need(tmp_path: Path) -> None:
    packaged = PACKAGED_MODELS_FILE.read_text(encoding="utf-8")
    catalog = packaged.replace('"models/demo"', json.dumps(str(REPOSITORY / "models" / "demo")))
    (tmp_path / "models.toml").write_text(
        f'{catalog}\n[demo.adapters.ink]\nfile = "ink.safetensors"\n', encoding="utf-8"
    )
    assert told(PAINT, tmp_path, tmp_path / "models.toml")["peft"]


def test_a_torchvision_that_is_installed_is_left_alone(tmp_path: Path) -> None:
    about = tmp_path / "torchvision-0.28.0.dist-info"
    for folder in (about, tmp_path / "torchvision"):
        folder.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: torchvision\nVersion: 0.28.0\n")
    (tmp_path / "torchvision" / "__init__.py").write_text("raise SystemExit('torchvision was imported')")
    program = f"{PAINT}\nfrom transformers.utils import is_torchvision_available as sees\ntold['sees'] = sees()"
    assert told(program, tmp_path, also_installed=tmp_path)["sees"] is False


def test_the_compiler_is_there_as_soon_as_somebody_compiles(tmp_path: Path) -> None:
    found = told(PAINT + COMPILE, tmp_path)
    assert {name: found[name] for name in ("compiled", "marked", "is_one", "is_whole")} == {
        "compiled": [2.0, 2.0],
        "marked": [True, True, True],
        "is_one": True,
        "is_whole": True,
    }


def test_what_is_remembered_is_what_would_be_found(tmp_path: Path) -> None:
    for _ in range(2):
        assert told(COMPARE, tmp_path) == {"read": 0, "same": True, "other": True}


@pytest.mark.parametrize("kept", ["{", "[]", "{}", json.dumps({"of": ["0.1", "models"], "structure": [[[], {}]]})])
def test_what_is_damaged_or_of_another_version_is_not_believed(kept: str, tmp_path: Path) -> None:
    (tmp_path / "scan").write_text(kept)
    assert read_scan(tmp_path / "scan", Path("models")) is None
