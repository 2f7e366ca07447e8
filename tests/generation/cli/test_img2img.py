"""What the command leaves on the disk."""

from pathlib import Path

import pytest

from generation.cli.img2img import _write_whole

resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")


def test_a_disk_that_is_full_keeps_no_half_of_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"of yesterday")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            _write_whole(picture, bytes(8192))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]
    assert picture.read_bytes() == b"of yesterday"
    _write_whole(picture, b"of today")
    assert picture.read_bytes() == b"of today"
