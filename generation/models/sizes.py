"""How large a model is, read from the headers of its files: nothing is loaded, and torch is not needed."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.models.tensor_files import METADATA, read_header

_DENOISERS = ("unet", "transformer")
_AUTOENCODERS = ("vae", "movq")
_NO_TILES = 2**16  # wider than any picture: Kandinsky's autoencoder does not support tiling


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """What a model's files say about the memory that it needs.

    ``parameters`` counts parameters by component (folder). ``latent_scale`` is the number of pixels per latent along a
    side, ``patch`` the number of latents per denoiser token along a side, ``denoiser_channels`` the channels of a token
    at the denoiser's full resolution, ``decoder_channels`` the maximum channels per pixel inside the autoencoder's
    decoder, and ``tile_pixels`` the side of its tiles. ``overflows_float16`` says that the autoencoder computes in
    float32 when the rest uses float16.
    """

    parameters: Mapping[str, int]
    denoiser: str
    autoencoder: str
    latent_scale: int
    patch: int
    denoiser_channels: int
    is_transformer: bool
    decoder_channels: float
    tile_pixels: int
    overflows_float16: bool = False


def read_sizes(folder: Path) -> ModelSizes:
    """Read the sizes of a model in diffusers' layout; raise ValueError for any other folder."""
    try:
        return _read(folder)
    except (OSError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{folder} has a layout that is new to us, or broken files") from error


def _read(folder: Path) -> ModelSizes:
    parts = {path.name: _parameters(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    parts = {name: count for name, count in parts.items() if count}
    denoiser = next((name for name in _DENOISERS if name in parts), None)
    autoencoder = next((name for name in _AUTOENCODERS if name in parts), None)
    if denoiser is None or autoencoder is None:
        raise ValueError(f"{folder} holds no denoiser or no autoencoder")
    denoising, decoding = _config(folder / denoiser), _config(folder / autoencoder)
    channels = decoding.get("block_out_channels") or [decoding["base_dim"] * factor for factor in decoding["dim_mult"]]
    is_transformer = "block_out_channels" not in denoising
    return ModelSizes(
        parameters=parts,
        denoiser=denoiser,
        autoencoder=autoencoder,
        latent_scale=2 ** (len(channels) - 1),
        patch=_patch(denoising) if is_transformer else 1,
        denoiser_channels=_channels(denoising),
        is_transformer=is_transformer,
        # On the way up, a level begins with the channels of the level before it.
        decoder_channels=max(count / 4 ** max(level - 1, 0) for level, count in enumerate(channels)),
        tile_pixels=_NO_TILES if autoencoder == "movq" else _side(decoding.get("sample_size")) or 256,
        overflows_float16=_is_xl(folder) and decoding.get("force_upcast", True),
    )


def _is_xl(folder: Path) -> bool:
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    return index["_class_name"].startswith("StableDiffusionXL")


def _parameters(folder: Path) -> int:
    """Count the parameters of a component, 0 for one without weights. Of several variants, only one counts."""
    files = sorted(folder.glob("*.safetensors"))
    plain = [path for path in files if path.name.count(".") == 1]
    counted: dict[str, int] = {}
    for path in plain or files:
        for name, tensor in read_header(path).items():
            if name != METADATA:
                counted[name] = math.prod(tensor["shape"])
    return sum(counted.values())


def _config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def _channels(config: dict[str, Any]) -> int:
    if "block_out_channels" in config:
        return config["block_out_channels"][0]
    if "dim" in config:
        return config["dim"]
    return config["num_attention_heads"] * config["attention_head_dim"]


def _patch(config: dict[str, Any]) -> int:
    """Return the number of latents along one side of a token; FLUX packs two by two before its transformer."""
    if "all_patch_size" in config:
        return config["all_patch_size"][0]
    return max(2, config.get("patch_size") or 2)


def _side(sample_size: Any) -> int:
    return max(sample_size) if isinstance(sample_size, list) else int(sample_size or 0)
