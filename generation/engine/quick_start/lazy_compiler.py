"""torch's compiler, imported when somebody wants to compile: diffusers and transformers import it only to be ready.

Its import takes 0.4 seconds of every start, on one core. What both ask it for is to mark their functions, which is
noted and done should it ever be imported, and whether something has been compiled, which cannot be before.
Source: ``torch/_dynamo/decorators.py`` of torch 2.13.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"
_MARKS = ("allow_in_graph", "assume_constant_result")
_NEEDS_NOTHING_ELSE = f"{NAME}._trace_wrapped_higher_order_op"  # a module within it, which transformers imports


def import_compiler_later() -> None:
    """Let torch's compiler, unless it has been imported, be imported by the first who wants it to compile.

    For a process that does not mean to: functions that are to stay uncompiled (``torch.compiler.disable``) until then
    are compiled by whoever does so all the same.
    """
    spec = None if NAME in sys.modules else find_spec(NAME)
    if spec is not None:
        sys.modules[NAME] = compiler = _Compiler(spec)
        sys.meta_path.insert(0, compiler.finder)


class _Compiler(ModuleType):
    """Stands in the compiler's place, and becomes it when asked for anything else."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(NAME)
        self.__spec__, self.__package__, self.__file__ = spec, NAME, spec.origin
        self.__path__ = []  # what lies within it finds only the finder
        self.finder = _Finder(self)
        self.marked: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        if name in _MARKS:
            return partial(_mark, self, self.marked, name)
        if name == "disable":
            return _disable
        if name == "eval_frame":
            return _EvalFrame()
        if name.startswith("__"):
            raise AttributeError(name)
        self.become()
        return getattr(self, name)

    def become(self) -> None:
        """Be what was stood for."""
        spec, marked = self.__spec__, self.marked
        assert spec is not None
        assert spec.loader is not None
        sys.meta_path.remove(self.finder)
        del self.finder, self.marked
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__path__ = spec.submodule_search_locations or []
        spec.loader.exec_module(self)
        while marked:
            name, each = marked.pop(0)
            getattr(self, name)(each)


def _mark(compiler: ModuleType, marks: list[tuple[str, Any]], name: str, marked: Any) -> Any:
    """Note a mark, or make it where the compiler is there: whoever got this before may mark with it after that."""
    real = vars(compiler).get(name)
    if real is not None:
        return real(marked)
    marks.append((name, marked))
    return marked


class _Finder(MetaPathFinder, Loader):
    """Has the compiler imported before whatever lies within it."""

    def __init__(self, compiler: _Compiler) -> None:
        self._compiler = compiler

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{NAME}."):
            return None
        if fullname == _NEEDS_NOTHING_ELSE:
            assert self._compiler.__spec__ is not None
            return PathFinder.find_spec(fullname, self._compiler.__spec__.submodule_search_locations, target)
        self._compiler.become()
        if fullname in sys.modules:  # it came along
            return spec_from_loader(fullname, self)
        return PathFinder.find_spec(fullname, self._compiler.__path__, target)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = PathFinder.find_spec(module.__name__, self._compiler.__path__)


class _EvalFrame:
    """Stands for the compiler's module of this name, in which there is the class of what has been compiled."""

    OptimizedModule = type("OptimizedModule", (), {})

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(f"{NAME}.eval_frame"), name)


def _disable(function: Any = None, *_: Any, **__: Any) -> Any:
    return _unchanged if function is None else function


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
