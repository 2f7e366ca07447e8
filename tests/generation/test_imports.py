"""Who may import what, according to the sources and to a fresh interpreter."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from generation.models.catalog import REPOSITORY

# A row of the table of folders ("rooms") in docs/engine.md: the room, and the rooms that it may import.
ROOM = re.compile(r"^\| `(\w+)/` \|.*\|([^|]*)\|$", re.MULTILINE)
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "safetensors"}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # the names may be modules


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (REPOSITORY / folder).rglob("*.py")


def test_generation_knows_nothing_of_discord() -> None:
    for path in sources("generation"):
        tops = {name.partition(".")[0] for name in imports_of(path)}
        assert not tops & {"bot", "discord", "sqlite3", "playground"}, path


def test_only_the_engine_imports_torch() -> None:
    engine = REPOSITORY / "generation" / "engine"
    for path in sources("generation", "bot", "playground"):
        tops = {name.partition(".")[0] for name in imports_of(path)}
        assert not tops & HEAVY or path.is_relative_to(engine), path


def test_only_the_engine_and_its_process_import_the_engine() -> None:
    engine = REPOSITORY / "generation" / "engine"
    for path in sources("generation", "bot", "playground"):
        names = {name for name in imports_of(path) if name.startswith("generation.engine")}
        allowed = path.is_relative_to(engine) or path == REPOSITORY / "generation" / "executors" / "worker.py"
        assert not names or allowed, path


def test_the_engines_rooms_know_each_other_as_is_written_down() -> None:
    table = (REPOSITORY / "docs" / "engine.md").read_text(encoding="utf-8")
    rooms = {room: set(re.findall(r"`(\w+)/`", knows)) for room, knows in ROOM.findall(table)}
    engine = REPOSITORY / "generation" / "engine"
    assert rooms.keys() == {path.parent.name for path in engine.glob("*/__init__.py")}
    for room, known in rooms.items():
        names = [name for path in (engine / room).glob("*.py") for name in imports_of(path)]
        found = {name.split(".")[2] for name in names if name.startswith("generation.engine.")}
        assert found - {room, "base", "faults", "device", "device_work"} == known, room


def test_the_environment_is_read_in_two_places() -> None:
    for path in sources("generation", "bot"):
        if path.name == "settings.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            reads = isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.getenv", "os.environ.get")
            assert not reads or path == REPOSITORY / "generation" / "child" / "worker.py", path


def test_the_parent_never_loads_torch() -> None:
    program = (
        "import sys, generation.serving.service, generation.cli.main, generation.executors.child, bot.client\n"
        "import generation.models.machine, generation.models.hub, generation.images.decoder, generation.sentences\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout == "[]\n"


def test_the_generation_process_answers_before_it_knows_the_hub() -> None:
    program = "import sys, generation.executors.worker; print({'huggingface_hub', 'httpx2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
