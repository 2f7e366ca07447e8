"""Checks of the tables in ``models.toml``: which names and values are valid."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

Kinds = Mapping[str, type]
"""By key ``str``, ``int``, ``float``, ``bool`` or ``dict``, as TOML has them."""

_WORDS = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}


# Usable as one word in a message, and next to other text in a Discord choice (100 characters).
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,49}", re.ASCII | re.IGNORECASE)


def check_name(name: str) -> None:
    """Raise ValueError, with the end of a sentence, for a name that cannot be written as one word in a message."""
    if not _NAME.fullmatch(name):
        raise ValueError("whose name is not made of letters from a to z, digits, dots and hyphens, 50 at most")


def own_path(root: Path, text: str) -> Path:
    """Return a path that an operator wrote: relative to ``root``, absolute, or with ``~`` for the home folder."""
    return root / os.path.expanduser(text)


def check_kinds(values: Any, kinds: Kinds) -> None:
    """Raise ValueError, with the end of a sentence, for a value of the wrong type; missing keys are not checked."""
    if not isinstance(values, dict):
        raise ValueError("that is not a table")
    for key, value in values.items():
        kind = kinds.get(key, type(value))
        # An int is acceptable as a float; a bool, which Python counts as an int, is not.
        if type(value) is not kind and (kind, type(value)) != (float, int):
            raise ValueError(f"whose {key} is not {_WORDS[kind]}")
    if "hub" in values:
        try:
            validate_repo_id(values["hub"])
        except HFValidationError as error:
            raise ValueError("whose hub is not a repository such as somebody/some-model") from error
