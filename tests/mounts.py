"""Mounts private to a process, which need no privileges where the kernel lets every user create a namespace."""

import shutil
import subprocess

import pytest

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def _can_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    return subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not _can_mount(), reason="this kernel gives no namespaces to its users")
