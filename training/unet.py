"""Train the denoiser and the text encoder together, from scratch, on cached latents."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTokenizer

from training import export, parallel
from training import tokenizer as tokenizers
from training.command_line import run_of, run_parser
from training.denoiser import Denoiser, scheduler
from training.latents import latent_path, scaling_factor
from training.loop import LoopSettings, autocast, device, train
from training.pictures import load_shard, shard_paths
from training.tiers import Tier

UNCAPTIONED_SHARE = 0.10
SQUARE_SHARE = 0.45  # most photographs are not square
NOISE_SHIFT = 3.0


class Batches:
    """Sample batches, each of one picture size, from the latents available; look for new shards now and then."""

    def __init__(self, folder: Path, tier: Tier, tokenizer: CLIPTokenizer, seed: int) -> None:
        self.folder, self.tier, self.tokenizer = folder, tier, tokenizer
        self.random = np.random.default_rng(seed)
        self.scaling_factor = scaling_factor(folder)
        self.loaded: dict[Path, tuple[Tensor, Tensor]] = {}
        self.empty = self._tokens([""])[0]

    def _tokens(self, captions: list[str]) -> Tensor:
        padded = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
        return padded["input_ids"].to(device())

    def refresh(self) -> None:
        for size in self.tier.sizes:
            for shard in shard_paths(self.folder, size):
                if shard not in self.loaded and latent_path(shard).exists():
                    latents = torch.from_numpy(np.load(latent_path(shard))).to(device())
                    self.loaded[shard] = latents, self._tokens(load_shard(shard)[1])

    def of(self, size: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
        prefix = f"pictures-{size[0]}x{size[1]}-"
        return [pair for shard, pair in self.loaded.items() if shard.name.startswith(prefix)]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield scaled latents (batch, 4, height, width) and tokens (batch, length)."""
        while True:
            if not self.loaded or self.random.random() < 0.02:
                self.refresh()
            square = self.random.random() < SQUARE_SHARE or not self.tier.buckets
            size = self.tier.sizes[0 if square else self.random.integers(1, len(self.tier.sizes))]
            shards = self.of(size) or self.of(self.tier.sizes[0])
            latents, tokens = shards[self.random.integers(len(shards))]
            rows = torch.from_numpy(self.random.integers(len(latents), size=self.tier.unet_batch))
            rows = rows.to(device())
            dropped = torch.from_numpy(self.random.random(len(rows)) < UNCAPTIONED_SHARE).to(device())
            captions = torch.where(dropped[:, None], self.empty, tokens[rows])
            yield latents[rows].float() * self.scaling_factor, captions


def velocity_loss(denoiser: nn.Module, latents: Tensor, tokens: Tensor, alphas: Tensor) -> Tensor:
    """Return the squared error of v (Salimans & Ho 2022) at timesteps stratified over the batch.

    The time shift of Esser et al. 2024 moves them towards the noisy end, where objects are decided.
    """
    count = len(latents)
    spread = (torch.arange(count, device=latents.device) + torch.rand(1, device=latents.device)) / count
    spread = NOISE_SHIFT * spread / (1 + (NOISE_SHIFT - 1) * spread)
    timesteps = (spread * len(alphas)).long().clamp(max=len(alphas) - 1)
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    wanted = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    with autocast():
        predicted = denoiser(noisy, timesteps, tokens)
    return functional.mse_loss(predicted.float(), wanted)


def main(arguments: list[str]) -> None:
    parser = run_parser("unet", __doc__)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, help="pictures a step, where the tier's own are too many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--snapshot", type=Path, help="write the whole model there at every checkpoint")
    options = parser.parse_args(arguments)
    tier, folder = run_of(options)
    tier = replace(tier, unet_batch=options.batch or tier.unet_batch)
    torch.manual_seed(options.seed)
    tokenizer = tokenizers.load(folder)
    denoiser = Denoiser(tier, tokenizer).to(device())
    alphas = scheduler().alphas_cumprod.to(device())
    batches = iter(Batches(folder, tier, tokenizer, options.seed + 1000 * parallel.rank()))

    def loss_of(network: nn.Module, step: int) -> Tensor:
        return velocity_loss(network, *next(batches), alphas)

    def show(averaged: nn.Module) -> None:
        assert isinstance(averaged, Denoiser)
        export.snapshot(folder, tier, averaged, options.snapshot)

    settings = LoopSettings(
        learning_rate=tier.unet_learning_rate,
        minutes=options.minutes or (None if options.steps else tier.unet_minutes),
        steps=options.steps,
        averaging=0.996,
        checkpoint_seconds=600,
        seed=options.seed,
    )
    train(denoiser, loss_of, folder / "unet.pt", settings, show)
