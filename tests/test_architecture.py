"""The import rules between the packages, read from the sources; those inside generation/ are tested there."""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.generation.test_imports import imports_of

REPOSITORY = Path(__file__).parents[1]
# The demonstration is the one part of the playground that may know the bot's settings and pictures.
DEMONSTRATION = [REPOSITORY / "playground" / name for name in ("demo.py", "__main__.py")]


def modules(folder: str) -> Iterator[Path]:
    return (REPOSITORY / folder).rglob("*.py")


@pytest.mark.parametrize(
    ("folder", "unknown"),
    [
        ("bot", {"playground", "training", "tests", "benchmarks", "PIL", "numpy"}),
        ("generation", {"bot", "playground", "training", "tests", "benchmarks"}),
        ("playground", {"bot", "generation", "training", "tests", "benchmarks", "discord"}),
        ("training", {"bot", "playground", "discord", "tests", "benchmarks"}),
    ],
)
def test_who_knows_whom(folder: str, unknown: set[str]) -> None:
    for path in modules(folder):
        if path not in DEMONSTRATION:
            assert not {name.partition(".")[0] for name in imports_of(path)} & unknown, path


def test_the_bot_knows_the_generators_values_and_service_only() -> None:
    for path in modules("bot"):
        assert not any(name.startswith("generation.engine") for name in imports_of(path)), path


# discord.py passes the client to every command and button. The client assembles the packages, which find each other
# through it and import its type.
TYPE_OF_THE_CLIENT = "\nif TYPE_CHECKING:\n    from bot.client import Palimpsest\n"


@pytest.mark.parametrize("house", ["bot", "generation", "generation/engine"])
def test_no_room_leads_back_to_itself(house: str) -> None:
    """A "room" is a folder or a top-level module; imports for typing alone count too, except the client's type."""
    inside = f"{house.replace('/', '.')}."
    doors: dict[str, set[str]] = {}
    for path in modules(house):
        room = path.relative_to(REPOSITORY / house).with_suffix("").parts[0]
        known = {name.removeprefix(inside).split(".")[0] for name in imports_of(path) if name.startswith(inside)}
        if TYPE_OF_THE_CLIENT in path.read_text(encoding="utf-8"):
            known.remove("client")
        doors.setdefault(room, set()).update(known - {room})
    assert len(doors) > 5
    TopologicalSorter(doors).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize("house", ["bot", "generation"])
def test_the_tests_mirror_the_tree(house: str) -> None:
    assert _folders(REPOSITORY / "tests" / house) <= _folders(REPOSITORY / house)


def _folders(house: Path) -> set[Path]:
    return {path.parent.relative_to(house) for path in house.rglob("__init__.py")}


def test_only_the_storage_speaks_sql() -> None:
    for path in modules("bot"):
        knows = "sqlite3" in set(imports_of(path))
        assert not knows or path.parent.name == "storage", path


def test_the_storage_knows_nothing_else_of_the_bot() -> None:
    for path in modules("bot/storage"):
        known = {name for name in imports_of(path) if name.startswith("bot.")}
        assert all(name.startswith("bot.storage.") for name in known), path


def test_what_people_see_of_a_job_knows_nothing_of_its_steps() -> None:
    for path in modules("bot/display"):
        assert not any(name.startswith("bot.jobs") for name in imports_of(path)), path
