"""Uploaded files, and the signed URLs under which they can be fetched until these expire."""

from __future__ import annotations

import hashlib
import hmac
import io
import mimetypes
import re
import secrets
import warnings
from dataclasses import dataclass
from pathlib import PurePosixPath

from PIL import Image

from playground.clock import Clock, Snowflakes
from playground.limits import CDN_URL_SECONDS
from playground.models import Attachment

_PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as uploaded: its name, its bytes, and what its sender says about it."""

    filename: str
    data: bytes
    description: str | None = None
    spoiler: bool = False


class FileStore:
    """Keeps the bytes of attachments in memory and signs their URLs."""

    def __init__(self, clock: Clock, ids: Snowflakes) -> None:
        self._clock = clock
        self._ids = ids
        self._key = secrets.token_bytes(32)
        self._data: dict[str, tuple[bytes, str]] = {}
        self.origin = ""
        self.url_seconds = CDN_URL_SECONDS

    def add(self, folder: str, upload: Upload, *, ephemeral: bool = False) -> Attachment:
        """Store ``upload`` in ``folder`` (``"attachments/<channel>"``) and return its description."""
        filename = clean_filename(upload.filename)
        if upload.spoiler and not filename.startswith("SPOILER_"):
            filename = f"SPOILER_{filename}"
        content_type = _content_type(filename)
        width, height = _picture_size(upload.data) if (content_type or "").startswith("image/") else (None, None)
        attachment = Attachment(
            id=self._ids.next(),
            folder=folder,
            filename=filename,
            size=len(upload.data),
            content_type=content_type,
            width=width,
            height=height,
            description=upload.description,
            ephemeral=ephemeral,
        )
        self._data[self.path(attachment)] = (upload.data, content_type or "application/octet-stream")
        return attachment

    def remove(self, attachment: Attachment) -> None:
        """Delete the bytes; every URL of the file answers 404 from now on."""
        self._data.pop(self.path(attachment), None)

    def path(self, attachment: Attachment) -> str:
        """Return the path of the file below the origin, unsigned."""
        return f"/{attachment.folder}/{attachment.id}/{attachment.filename}"

    def url(self, attachment: Attachment) -> str:
        """Return a URL that is valid until it expires by the stand-in's clock."""
        return self.sign(self.path(attachment))

    def proxy_url(self, attachment: Attachment) -> str:
        """Return the URL of the same file on the counterpart of Discord's media proxy."""
        return self.sign(self.path(attachment), prefix="/proxy")

    def sign(self, path: str, *, prefix: str = "") -> str:
        """Return the full URL of ``path`` with Discord's three parameters: expiry, issue time and signature."""
        issued = int(self._clock.now())
        expires = f"{issued + int(self.url_seconds):x}"
        signature = self._signature(path, expires, f"{issued:x}")
        return f"{self.origin}{prefix}{path}?ex={expires}&is={issued:x}&hm={signature}&"

    def fetch(self, path: str, expires: str, issued: str, signature: str) -> tuple[bytes, str] | None:
        """Return bytes and content type, or None for an invalid or expired signature or a removed file."""
        if not hmac.compare_digest(signature.encode(), self._signature(path, expires, issued).encode()):
            return None
        if int(expires, 16) <= self._clock.now():
            return None
        return self._data.get(path)

    def _signature(self, path: str, expires: str, issued: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}\n{issued}".encode(), hashlib.sha256).hexdigest()


def clean_filename(filename: str) -> str:
    """Return the name that Discord would show: no folders, no spaces, nothing that breaks a URL."""
    name = re.sub(r"[^\w.\-]+", "_", PurePosixPath(filename.replace("\\", "/")).name, flags=re.ASCII)
    return name if name.strip("_.") else "file"


def _content_type(filename: str) -> str | None:
    suffix = PurePosixPath(filename).suffix.lower()
    return _PICTURES.get(suffix) or mimetypes.guess_type(filename)[0]


def _picture_size(data: bytes) -> tuple[int | None, int | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                return picture.size
    except Exception:  # image plugins raise all kinds of errors on hostile bytes; without a size it is just a file
        return None, None
