"""torch's compiler, imported only when something is to be compiled; diffusers and transformers import it in advance.

Its import takes 0.4 seconds of every start, on one core. Both libraries use it to mark functions, which is recorded and
done if it is ever imported, and to ask whether something has been compiled, which cannot be the case before.
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
_STANDALONE_SUBMODULE = f"{NAME}._trace_wrapped_higher_order_op"  # a submodule, imported by transformers


def import_compiler_later() -> None:
    """Defer the import of torch's compiler, if it has not been imported, until something is to be compiled.

    For a process that does not intend to compile: if something is compiled after all, functions marked until then to
    stay uncompiled (``torch.compiler.disable``) are compiled nevertheless.
    """
    spec = None if NAME in sys.modules else find_spec(NAME)
    if spec is not None:
        sys.modules[NAME] = compiler = _Compiler(spec)
        sys.meta_path.insert(0, compiler.finder)


class _Compiler(ModuleType):
    """A placeholder for the compiler's module, which becomes the real one when anything else is asked of it."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(NAME)
        self.__spec__, self.__package__, self.__file__ = spec, NAME, spec.origin
        self.__path__ = []  # so that only the finder can find its submodules
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
        """Become the real module."""
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
    """Record a mark, or set it if the compiler is loaded, because callers may keep this function until then."""
    real = vars(compiler).get(name)
    if real is not None:
        return real(marked)
    marks.append((name, marked))
    return marked


class _Finder(MetaPathFinder, Loader):
    """A finder that has the compiler imported before any of its submodules."""

    def __init__(self, compiler: _Compiler) -> None:
        self._compiler = compiler

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{NAME}."):
            return None
        if fullname == _STANDALONE_SUBMODULE:
            assert self._compiler.__spec__ is not None
            return PathFinder.find_spec(fullname, self._compiler.__spec__.submodule_search_locations, target)
        self._compiler.become()
        if fullname in sys.modules:  # imported along with it
            return spec_from_loader(fullname, self)
        return PathFinder.find_spec(fullname, self._compiler.__path__, target)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = PathFinder.find_spec(module.__name__, self._compiler.__path__)


class _EvalFrame:
    """A stand-in for the compiler's module of this name, which contains the class of compiled modules."""

    OptimizedModule = type("OptimizedModule", (), {})

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(f"{NAME}.eval_frame"), name)


def _disable(function: Any = None, *_: Any, **__: Any) -> Any:
    return _unchanged if function is None else function


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
