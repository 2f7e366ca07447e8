"""What transformers scans for at every import, scanned once and remembered.

To offer its classes without importing them, transformers reads all of its 3,300 modules, twice: on one core, a fifth of
the startup time. The result changes only with its version.
Source: ``define_import_structure`` in ``transformers/utils/import_utils.py`` of transformers 5.23.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from generation.models.lock import replace_text

SCAN_NAME = "transformers.json"
_SCANNING_MODULE = "transformers.utils.import_utils"

# Modules below a folder and the names that they export, keyed by the packages that they need.
Structure = dict[frozenset[str], dict[str, set[str]]]


def remember_scans(data_dir: Path) -> None:
    """Let transformers, which must not have been imported yet, reuse the scan of an earlier start from ``data_dir``."""
    if _SCANNING_MODULE not in sys.modules:
        sys.meta_path.insert(0, _Finder(data_dir / SCAN_NAME))


class _Finder(MetaPathFinder):
    """A finder that patches one function of one module as soon as the module has been imported."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _SCANNING_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute: Callable[[ModuleType], None] = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _remember(module, self._path)

            spec.loader.exec_module = exec_module
        return spec


def _remember(module: Any, path: Path) -> None:
    """Make the module answer scans of all models from a file."""
    scan: Callable[..., Structure] = module.define_import_structure
    models = Path(module.__file__).parents[1] / "models"
    found = read_scan(path, models)

    @wraps(scan)
    def define_import_structure(module_path: str | Path, prefix: str | None = None) -> Structure:
        nonlocal found
        if Path(module_path) not in (models, models / "__init__.py"):
            return scan(module_path, prefix)
        if found is None:
            found = scan(str(models))
            _write(path, models, found)
        before = "" if prefix is None else f"{prefix}."
        return {  # copies, because callers add to them
            needed: {before + name: set(exported) for name, exported in modules.items()}
            for needed, modules in found.items()
        }

    module.define_import_structure = define_import_structure


def _scan_identity(models: Path) -> list[str]:
    return [version("transformers"), str(models)]


def read_scan(path: Path, models: Path) -> Structure | None:
    """Return the stored scan of a folder of models, or None if there is none for this version."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["of"] != _scan_identity(models):
            return None
        return {
            frozenset(needed): {name: set(exported) for name, exported in modules.items()}
            for needed, modules in kept["structure"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # there is none yet, or it is damaged
        return None


def _write(path: Path, models: Path, found: Structure) -> None:
    structure = [
        (sorted(needed), {name: sorted(exported) for name, exported in modules.items()})
        for needed, modules in found.items()
    ]
    with contextlib.suppress(OSError):  # on a full disk only time is lost, at the next start
        replace_text(path, json.dumps({"of": _scan_identity(models), "structure": structure}))
