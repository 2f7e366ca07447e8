"""The versions recorded in a result file."""

from functools import cache
from importlib.metadata import version

VERSION = "0.1.0"  # a test compares this with pyproject.toml
_LIBRARIES = ("diffusers", "pillow", "torch", "transformers")


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that shape a picture's pixels."""
    return {name: version(name) for name in _LIBRARIES}
