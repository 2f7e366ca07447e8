"""``DATA_DIR/models.lock``: the commit of each repository that this machine uses, and the digests of its files."""

import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LockedModel:
    """The commit of a repository and the sha256 of each of its files, by name."""

    revision: str
    files: Mapping[str, str]


def is_commit(text: str) -> bool:
    """Tell whether a text is a full commit hash."""
    return re.fullmatch(r"[0-9a-f]{40}", text) is not None


def read_lock(path: Path) -> dict[str, LockedModel]:
    """Return the locked models by repository, none if there is no file yet. Raises ValueError for a broken file."""
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    try:
        return {source: LockedModel(row["revision"], dict(row["files"])) for source, row in rows.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds something else") from error


def write_lock(path: Path, rows: Mapping[str, LockedModel]) -> None:
    """Replace the file atomically, so that a reader never sees half of it."""
    text = json.dumps({name: {"revision": row.revision, "files": row.files} for name, row in rows.items()}, indent=2)
    replace_text(path, text)


def replace_text(path: Path, text: str) -> None:
    """Replace a text file atomically; it and its folder need not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Other threads, or a command line next to the bot, may be replacing it too.
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_native_id()}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())  # otherwise a power cut may leave the new name without the new contents
    os.replace(draft, path)
