"""The memory of a long proof, so that it can resume after being stopped."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
STATE = REPOSITORY / "build" / "prove"
# What the figures depend on; changing a document or a test does not invalidate them.
MEASURED = ("bot", "generation", "playground", "prove", "requirements.lock")


class Rounds:
    """The finished rounds of one proof at one version of the code, one JSON object per line."""

    def __init__(self, proof: str, *, folder: Path = STATE, version: str | None = None) -> None:
        self.folder = folder / proof
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.folder / f"{version or version_of_the_code()}.jsonl"
        self._rounds = _read(self._file)
        # Drop a last line that was cut off, so that the next one is not appended to it.
        self._file.write_text("".join(json.dumps(outcome) + "\n" for outcome in self._rounds), encoding="utf-8")

    def __len__(self) -> int:
        return len(self._rounds)

    @property
    def all(self) -> list[dict[str, Any]]:
        """The rounds in the order in which they finished."""
        return list(self._rounds)

    def add(self, **outcome: Any) -> None:
        """Remember a finished round."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome) + "\n")
        self._rounds.append(outcome)


def version_of_the_code(names: Iterable[str] = MEASURED) -> str:
    """Return a digest of the measured code."""
    digest = hashlib.sha256()
    for name in names:
        path = REPOSITORY / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(REPOSITORY).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # a last line that was cut off does not count
    return [json.loads(line) for line in lines]
