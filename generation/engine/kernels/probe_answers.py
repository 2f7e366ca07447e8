"""``DATA_DIR/probe.json``: what was measured on this CPU, so that it is measured once and not at every start.

It also keeps bfloat16 pictures identical to the last bit across restarts: no busy neighbour makes a start choose
differently. Measurements count only with the same versions, CPU and number of threads.
"""

import contextlib
import json
import platform
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path

import torch

from generation.models.lock import replace_text
from generation.versions import VERSION

ANSWERS_NAME = "probe.json"
_CPU_IDENTITY_FIELDS = ("model name", "flags", "Features", "CPU part")  # about a CPU, on x86 and on Arm

_path: Path | None = None  # without one, nothing is remembered


def remember_answers(data_dir: Path) -> None:
    """Use the answers stored in a folder, and store there what is measured from now on."""
    global _path
    _path = data_dir / ANSWERS_NAME


def remembered(probe: Callable[..., bool]) -> Callable[..., bool]:
    """Make a probe measure only what is not known yet; its arguments are devices and dtypes."""

    @cache
    @wraps(probe)
    def answer(*of: object) -> bool:
        if _path is None or any(isinstance(each, torch.device) and each.type != "cpu" for each in of):
            return probe(*of)
        question = " ".join([probe.__name__, *map(str, of)])
        known = _read(_path)
        if not isinstance(known.get(question), bool):
            known[question] = probe(*of)
            with contextlib.suppress(OSError):  # on a full disk only time is lost, at the next start
                replace_text(_path, json.dumps({"of": _machine(), "answers": known}, indent=2))
        return known[question]

    return answer


def _read(path: Path) -> dict[str, bool]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return dict(kept["answers"]) if kept["of"] == _machine() else {}
    except (OSError, ValueError, KeyError, TypeError):  # there is none yet, or it is damaged
        return {}


@cache
def _machine() -> list[str]:
    processor = {platform.machine(), platform.processor()}
    with contextlib.suppress(OSError):  # not Linux
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor |= {line for line in lines if line.startswith(_CPU_IDENTITY_FIELDS)}
    return [VERSION, torch.__version__, f"{torch.get_num_threads()} threads", *sorted(processor)]
