"""Encode every drawn picture once, so that training the UNet never touches a pixel."""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from tqdm import tqdm

from training.autoencoder import encode, normalised, trained
from training.command_line import run_of, run_parser
from training.loop import autocast
from training.pictures import shard_paths


def latent_path(shard: Path) -> Path:
    return shard.with_name(shard.name.replace("pictures", "latents"))


@torch.no_grad()
def encoded(network: AutoencoderKL, pictures: np.ndarray, batch: int = 100) -> np.ndarray:
    """Return unscaled latents (count, 4, height, width) as float16."""
    parts = []
    for start in range(0, len(pictures), batch):
        with autocast():
            posterior = encode(network, normalised(pictures[start : start + batch]))
        parts.append(posterior.mean.half().cpu().numpy())
    return np.concatenate(parts)


def scaling_factor(folder: Path) -> float:
    """Return 1 / standard deviation of the latents, as in Stable Diffusion."""
    return float(json.loads((folder / "latents.json").read_text())["scaling_factor"])


def main(arguments: list[str]) -> None:
    tier, folder = run_of(run_parser("latents", __doc__).parse_args(arguments))
    network = trained(folder, tier)
    statistics = folder / "latents.json"
    shards = [shard for size in tier.sizes for shard in shard_paths(folder, size)]
    # One shard of every size first, so that training the UNet can start while the rest is encoded.
    shards.sort(key=lambda shard: shard.stem.rsplit("-", 1)[-1])
    for shard in tqdm(shards, desc="latents"):
        if latent_path(shard).exists():
            continue
        latents = encoded(network, np.load(shard, mmap_mode="r"))
        if not statistics.exists():
            factor = 1 / float(latents.astype(np.float32).std())
            statistics.write_text(json.dumps({"scaling_factor": factor}))
        partial = shard.with_name("partial-" + shard.name)
        np.save(partial, latents)
        partial.rename(latent_path(shard))
