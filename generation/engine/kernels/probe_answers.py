"""``DATA_DIR/probe.json``: what was measured of this CPU, so that it is measured once and not at every start.

Pictures in bfloat16 keep their last bits over a restart by it: no busy neighbour makes a start choose otherwise. Only
what was measured with the same versions, processor and threads counts.
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
_TELLING = ("model name", "flags", "Features", "CPU part")  # of a processor, on Intel's architecture and on Arm's

_path: Path | None = None  # without one nothing is remembered


def remember_answers(data_dir: Path) -> None:
    """Take answers that a folder has, and keep there what is measured from now on."""
    global _path
    _path = data_dir / ANSWERS_NAME


def remembered(probe: Callable[..., bool]) -> Callable[..., bool]:
    """Let a probe measure only what is not known; its arguments are devices and number formats."""

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
        processor |= {line for line in lines if line.startswith(_TELLING)}
    return [VERSION, torch.__version__, f"{torch.get_num_threads()} threads", *sorted(processor)]
