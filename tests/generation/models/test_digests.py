"""Cached digests: correct whatever happens to the files, and not computed twice."""

import hashlib
import json
import os
from pathlib import Path

from generation.models.digests import DIGESTS_NAME, forget_digests, sha256_of_all


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pretend_to_have_read(data_dir: Path, digest: str) -> None:
    """Cache a digest that no file has: code that returns it has not read the file."""
    rows = json.loads((data_dir / DIGESTS_NAME).read_text())
    (data_dir / DIGESTS_NAME).write_text(json.dumps({name: [*row[:-1], digest] for name, row in rows.items()}))


def test_what_is_as_it_was_is_not_read_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    assert sha256_of_all([first, second], tmp_path / "data") == [sha256(b"one"), sha256(b"two")]
    pretend_to_have_read(tmp_path / "data", "remembered")
    assert sha256_of_all([second, first], tmp_path / "data") == ["remembered"] * 2
    forget_digests(tmp_path / "data")
    assert sha256_of_all([first, second], tmp_path / "data") == [sha256(b"one"), sha256(b"two")]


def test_another_file_of_the_same_size_and_age_in_its_place_is_read(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    for path, data in ((file, b"good"), (other, b"evil")):
        path.write_bytes(data)
        os.utime(path, ns=(1, 1))
    assert sha256_of_all([file], tmp_path) == [sha256(b"good")]
    os.replace(other, file)
    assert sha256_of_all([file], tmp_path) == [sha256(b"evil")]


def test_two_names_of_one_file_are_two(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"data")
    for name in ("tokenizer", "tokenizer_2"):
        (tmp_path / name).symlink_to(tmp_path / "blob")
    assert sha256_of_all([tmp_path / "tokenizer", tmp_path / "tokenizer_2"], tmp_path) == [sha256(b"data")] * 2


def test_a_memory_that_is_broken_or_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    (tmp_path / DIGESTS_NAME).write_text("[ half of i")
    assert sha256_of_all([file], tmp_path) == [sha256(b"data")]
    assert sha256_of_all([file], file) == [sha256(b"data")]  # not a folder
