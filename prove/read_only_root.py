"""The container's restrictions without a container: the bot runs as an unprivileged user on a read-only root.

    python -m prove.read_only_root

Needs Linux, and root, which is given up: in a mount namespace of its own everything is read-only except an empty /tmp,
and the playground's bot runs there as user 10001, without any capability and without a way to gain one, as in
``compose.yaml``. It is done when a picture has arrived. Promised: status 0.
"""

import argparse
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from prove import BROKEN, IMPOSSIBLE, KEPT
from prove.page import write_line

REPOSITORY = Path(__file__).parents[1]
SECONDS = 600
_WALLS = """
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /tmp
install --directory --owner=10001 --group=10001 /tmp/data /tmp/cache
awk '$3 != "proc" && $2 !~ "^/(proc|sys|dev|tmp)(/|$)" { print $2 }' /proc/mounts | while read -r place; do
    mount -o remount,bind,ro "$place"
done
if touch "$1/.written" 2>/dev/null; then echo "the root is not read-only" >&2; exit 3; fi
cd "$1"
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    "$2" -m playground
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate one picture under these restrictions; return 0 if it arrived, 2 where they are not possible."""
    argparse.ArgumentParser(prog="python -m prove.read_only_root").parse_args(arguments)
    if sys.platform != "linux" or os.geteuid() or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        print("This needs Linux, root, and the programs unshare, setpriv and mount.", file=sys.stderr)
        return IMPOSSIBLE
    closed = [folder for folder in Path(sys.executable).resolve().parents if not folder.stat().st_mode & stat.S_IXOTH]
    if closed:
        print(f"This needs a Python that other users can run; {closed[0]} is closed to them.", file=sys.stderr)
        return IMPOSSIBLE
    there = {"HOME": "/nowhere", "DATA_DIR": "/tmp/data", "HF_HOME": "/tmp/cache/huggingface", "ONCE": "1"}
    walls = ["unshare", "--mount", "sh", "-c", _WALLS, "sh", str(REPOSITORY), sys.executable]
    environment = {**there, "PATH": os.environ["PATH"], "XDG_CACHE_HOME": "/tmp/cache"}
    done = subprocess.run(walls, env=environment, timeout=SECONDS, check=False)
    if done.returncode:
        print("no picture arrived behind the walls", file=sys.stderr)
        return BROKEN
    write_line(
        "The bot works as non-root, without capabilities, on a read-only root",
        "a picture arrived",
        "python -m prove.read_only_root",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
