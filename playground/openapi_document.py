"""Discord's OpenAPI document, found on this machine or downloaded once, pinned, from Discord's public repository."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from playground.models import Json

# Commit of https://github.com/discord/discord-api-spec whose specs/openapi.json has the digest below.
COMMIT = "74fda0fad044407ea280043a03ffc9bc64c4e49e"
SHA256 = "8c1d0707ccdf8e380a86dfba04058820a66435c1b69d5ed82e04dd8c0520dd73"
URL = f"https://raw.githubusercontent.com/discord/discord-api-spec/{COMMIT}/specs/openapi.json"
MAX_BYTES = 8 * 1024 * 1024
DOWNLOAD_TIMEOUT_SECONDS = 10.0

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The document, or the reason why there is none."""

    document: Json | None
    source: str | None = None
    reason: str | None = None


def default_cache_folder() -> Path:
    """Return the folder that keeps a downloaded document between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "playground"


def find_openapi_document(path: Path | None = None, *, cache_folder: Path | None = None) -> Found:
    """Return the document from ``path``, ``DISCORD_OPENAPI``, the shared folder, the cache or the network.

    An explicitly given path must contain a document; the other places may be empty. Never raises: what is missing or
    wrong is the ``reason``.
    """
    asked = path or (Path(os.environ["DISCORD_OPENAPI"]) if os.environ.get("DISCORD_OPENAPI") else None)
    if asked is not None:
        return _read(asked)
    shared = REPOSITORY.parent / "shared" / "discord" / "openapi.json"
    if shared.is_file():
        return _read(shared)
    cached = (cache_folder or default_cache_folder()) / f"openapi-{COMMIT[:12]}.json"
    if not cached.is_file() and (reason := _download(cached)) is not None:
        return Found(document=None, reason=reason)
    return _read(cached)


def _read(path: Path) -> Found:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        return Found(document=None, reason=f"Discord's OpenAPI document could not be read from {path}: {error}")
    if not isinstance(document, dict) or not {"paths", "components"} <= document.keys():
        return Found(document=None, reason=f"{path} is not an OpenAPI document")
    return Found(document=document, source=str(path))


def _download(target: Path) -> str | None:
    """Download the pinned document to ``target`` and return None, or the reason for a failure."""
    try:
        with urllib.request.urlopen(URL, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response:
            data = response.read(MAX_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        return f"Discord's OpenAPI document could not be downloaded from {URL}: {error}"
    if hashlib.sha256(data).hexdigest() != SHA256:
        return f"the document from {URL} does not have the pinned sha256"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(target)
    return None
