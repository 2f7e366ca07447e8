"""The Colab notebook, executed cell by cell with the embedded model; its bot talks to the stand-in."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from generation.images.metadata import read_parameters
from generation.models.catalog import REPOSITORY
from playground.client import PlaygroundServer

NOTEBOOK = json.loads((REPOSITORY / "docs" / "colab.ipynb").read_text(encoding="utf-8"))
# These cells clone and install, or ask Colab for a secret; the test provides what they define.
ONLY_ON_COLAB = "colab-only"
# Replaces the choice in a cell's form by the model that needs no download.
CHOSEN_IN_A_FORM = ('MODEL = "stable-diffusion-v1-5"', 'MODEL = "demo"')
READY_SECONDS = 600.0

# As in a notebook: all cells share one namespace, and the value of a cell's last line is shown.
RUN_CELLS = """
import ast, json, os, sys
from pathlib import Path

namespace = {"__name__": "__main__", "REPOSITORY": Path(sys.argv[1]), "token": os.environ["DISCORD_TOKEN"]}
for name, source in json.load(sys.stdin):
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)
    shown = eval(compile(ast.Expression(last.value), name, "eval"), namespace) if last else None
    if hasattr(shown, "_repr_html_"):
        print(f"{name} shows {shown._repr_html_().count('src=')} pictures", flush=True)
"""


def code_cells() -> list[dict[str, Any]]:
    return [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def source_of(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def is_only_on_colab(cell: dict[str, Any]) -> bool:
    return ONLY_ON_COLAB in cell["metadata"].get("tags", [])


def test_is_a_notebook_without_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells())


@pytest.mark.parametrize("cell", code_cells(), ids=lambda cell: cell["id"])
def test_cell_is_python(cell: dict[str, Any]) -> None:
    compile(source_of(cell), cell["id"], "exec")


def test_what_is_left_out_here_needs_colab() -> None:
    left_out = {cell["id"]: source_of(cell) for cell in code_cells() if is_only_on_colab(cell)}

    assert set(left_out) == {"install", "token"}
    assert "pip" in left_out["install"]
    assert "google.colab" in left_out["token"]


def test_whoever_has_not_named_the_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    install = next(cell for cell in code_cells() if cell["id"] == "install")

    with pytest.raises(ValueError, match="into ADDRESS"):
        exec(source_of(install), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a cell is stopped with SIGINT, as on Colab, which is Linux")
async def test_executes_on_the_embedded_model(tmp_path: Path) -> None:
    cells = [
        (cell["id"], source_of(cell).replace(*CHOSEN_IN_A_FORM)) for cell in code_cells() if not is_only_on_colab(cell)
    ]
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        notebook = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RUN_CELLS,
            str(REPOSITORY),
            cwd=tmp_path,
            env={**os.environ, **server.bot_environment(), "DATA_DIR": str(tmp_path / "data"), "HF_HUB_OFFLINE": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        executing = asyncio.create_task(notebook.communicate(json.dumps(cells).encode()))
        ready = asyncio.create_task(server.client.wait_until_bot_ready(timeout_seconds=READY_SECONDS))
        try:
            await asyncio.wait((executing, ready), return_when=asyncio.FIRST_COMPLETED)
            if not executing.done():
                notebook.send_signal(signal.SIGINT)  # the stop button of the last cell
            output = (await executing)[0].decode()
        finally:
            ready.cancel()
            if notebook.returncode is None:
                notebook.kill()

    assert notebook.returncode == 0, output
    assert ready.done(), output
    assert "demo shows 2 pictures" in output
    assert "real-picture shows 2 pictures" in output
    parameters = read_parameters((tmp_path / "demo.png").read_bytes())
    assert parameters is not None
    assert (parameters["model"], parameters["seed"]) == ("demo", 7)
    assert read_parameters((tmp_path / "new.png").read_bytes()) is not None
