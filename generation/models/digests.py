"""``DATA_DIR/digests.json``: the sha256 of files, so that gigabytes need not be hashed again at every start.

A digest is valid as long as the system reports the same file: inode, size, and modification and change time (mtime and
ctime), to the nanosecond. No program can set the last of these. Git detects unchanged files in the same way:
https://git-scm.com/docs/index-format.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from generation.models.lock import replace_text

DIGESTS_NAME = "digests.json"

Row = list[int | str]  # the file's identity, and its digest


def sha256_of_all(files: Iterable[Path], data_dir: Path) -> list[str]:
    """Return the hexadecimal sha256 of each file; files that have not changed since the last time are not read."""
    path = data_dir / DIGESTS_NAME
    remembered = _read(path)
    rows: list[tuple[str, Row]] = []
    for file in files:
        # The identity is taken first, so that a file modified during hashing is hashed again next time.
        name, identity = str(file.absolute()), _identity(file)
        row = remembered.get(name, [])
        rows.append((name, row if row[:-1] == identity else [*identity, sha256_of(file)]))
    if any(remembered.get(name) != row for name, row in rows):
        with contextlib.suppress(OSError):  # on a full disk only time is lost, at the next start
            replace_text(path, json.dumps(remembered | dict(rows), indent=2))
    return [str(row[-1]) for _, row in rows]


def git_blob_id_of(path: Path) -> str:
    """Return git's id for a file's contents, which are read at once: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def forget_digests(data_dir: Path) -> None:
    """Forget all digests, so that every byte is read again."""
    (data_dir / DIGESTS_NAME).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Row]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # there is none yet, or it is damaged
        return {}


def _identity(file: Path) -> Row:
    known = file.stat()
    return [known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns]
