"""``DATA_DIR/previews.json``: linear maps fitted for previews, so that no later start has to fit them again."""

import contextlib
import json
from pathlib import Path

import torch

from generation.models.lock import replace_text
from generation.versions import VERSION

MAPS_NAME = "previews.json"
_MAX_MODELS = 64  # models; the maps fitted first are dropped


class PreviewMaps:
    """Maps from latents to colours, keyed by what they were fitted to; without a folder nothing is remembered."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self._path = None if data_dir is None else data_dir / MAPS_NAME

    def get(self, fitted_to: str, channels: int) -> torch.Tensor | None:
        """Return coefficients (channels + 1, 3), or None if there are none that can be used."""
        try:
            coefficients = torch.tensor(self._read()[fitted_to], dtype=torch.float32)
        except (KeyError, TypeError, ValueError, RuntimeError):  # there are none yet, or they are damaged
            return None
        is_whole = coefficients.shape == (channels + 1, 3) and bool(coefficients.isfinite().all())
        return coefficients if is_whole else None

    def put(self, fitted_to: str, coefficients: torch.Tensor) -> None:
        """Remember coefficients, unless they come from an autoencoder that failed."""
        if self._path is None or not coefficients.isfinite().all():
            return
        known = self._read()
        known.pop(fitted_to, None)
        known[fitted_to] = coefficients.tolist()
        kept = dict(list(known.items())[-_MAX_MODELS:])
        with contextlib.suppress(OSError):  # on a full disk only time is lost, at the next start
            replace_text(self._path, json.dumps({"of": VERSION, "maps": kept}))

    def _read(self) -> dict[str, object]:
        try:
            kept = {} if self._path is None else json.loads(self._path.read_text(encoding="utf-8"))
            return dict(kept["maps"]) if kept["of"] == VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):  # there is none yet, or it is damaged
            return {}
