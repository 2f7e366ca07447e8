"""What the command leaves on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generation.cli.result_files import write_whole
from generation.models.catalog import REPOSITORY
from tests.mounts import OWN_MOUNTS, needs_mounts

resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")


def test_a_disk_that_is_full_keeps_no_half_of_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"of yesterday")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_whole(picture, bytes(8192))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]
    assert picture.read_bytes() == b"of yesterday"
    write_whole(picture, b"of today")
    assert picture.read_bytes() == b"of today"


@needs_mounts
def test_a_folder_that_cannot_be_written_costs_no_painting(tmp_path: Path) -> None:
    ask = f"{sys.executable} -m generation img2img playground/photographs/cat.jpg -p cat -o {tmp_path}/new.png"
    script = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path} && {ask}"
    done = subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"The folder {tmp_path} is not writable; choose another one.\n"


def test_a_model_that_is_not_here_is_not_fetched_unasked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "generation", "img2img", "playground/photographs/cat.jpg", "-p", "cat"]
    environment = {**os.environ, "HF_HOME": str(tmp_path), "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [*command, "--model", "sd-turbo"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The model sd-turbo hasn't been downloaded yet.")
    assert "`python -m generation download sd-turbo`" in done.stderr
    assert done.stderr.count("\n") == 1
