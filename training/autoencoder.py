"""Train the autoencoder: first all of it, then, with the latents fixed, only the decoder, for sharper pictures."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from training.command_line import run_of, run_parser
from training.data import Spec, drawn
from training.loop import LoopSettings, autocast, channels_last, device, train
from training.pictures import load_shard, shard_paths
from training.tiers import Tier

KL_WEIGHT = 2e-4


def normalised(pictures: np.ndarray) -> Tensor:
    """Convert uint8 (batch, height, width, 3) to float (batch, 3, height, width) in -1..1."""
    pixels = torch.from_numpy(np.array(pictures)).to(device())
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(pictures: Tensor) -> np.ndarray:
    """Convert float (batch, 3, height, width) in -1..1 to uint8 (batch, height, width, 3)."""
    pixels = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round()
    return pixels.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()


def differences(pictures: Tensor) -> tuple[Tensor, Tensor]:
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Return L1 + MSE/2 + an edge term, which keeps decoded pictures sharp."""
    edges = sum(functional.l1_loss(a, b) for a, b in zip(differences(made), differences(wanted), strict=True))
    return functional.l1_loss(made, wanted) + 0.5 * functional.mse_loss(made, wanted) + 0.5 * edges


def encode(network: AutoencoderKL, pictures: Tensor) -> DiagonalGaussianDistribution:
    """Return the distribution of the latents (batch, 4, height / factor, width / factor)."""
    posterior = network.encode(pictures, return_dict=False)[0]
    assert isinstance(posterior, DiagonalGaussianDistribution)
    return posterior


def decode(network: AutoencoderKL, latents: Tensor) -> Tensor:
    """Return pictures (batch, 3, height, width) in about -1..1."""
    return network.decode(cast(torch.FloatTensor, latents), return_dict=False)[0]


def crops(folder: Path, tier: Tier, rng: random.Random) -> Iterator[np.ndarray]:
    """Yield random crops for ever, a fifth of them from photo-like textures without an object."""
    size = (tier.pixels, tier.pixels)
    side = tier.crop_pixels
    textures = np.stack(
        [np.asarray(drawn(Spec(background=None), size, random.Random(f"texture {index}"))) for index in range(400)]
    )
    shards = [load_shard(path)[0] for path in shard_paths(folder, size)]
    while True:
        batch = []
        for _ in range(tier.autoencoder_batch):
            source = textures if rng.random() < 0.2 else rng.choice(shards)
            x, y = rng.randint(0, tier.pixels - side), rng.randint(0, tier.pixels - side)
            crop = source[rng.randrange(len(source)), y : y + side, x : x + side]
            batch.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        yield np.stack(batch)


@torch.no_grad()
def psnr(network: AutoencoderKL, pictures: Tensor) -> float:
    """Return the mean peak signal-to-noise ratio of the round trip in decibels, computed per picture."""
    made = decode(network, encode(network, pictures).mode()).clamp(-1, 1)
    errors = (made - pictures).square().mean((1, 2, 3)) / 4
    return float((-10 * errors.log10()).mean())


def main(arguments: list[str]) -> None:
    parser = run_parser("autoencoder", __doc__)
    parser.add_argument("--decoder-only", action="store_true", help="start from the trained one, latents fixed")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, help="pictures a step, where the tier's own are too many")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    tier, folder = run_of(options)
    tier = replace(tier, autoencoder_batch=options.batch or tier.autoencoder_batch)
    torch.manual_seed(options.seed)
    network = AutoencoderKL(**tier.autoencoder)
    nn.Module.to(network, device())
    channels_last(network)
    name = "autoencoder"
    if options.decoder_only:
        name = "decoder"
        network.load_state_dict(_averaged(folder / "autoencoder.pt"))
        for fixed in (network.encoder, network.quant_conv):
            assert fixed is not None
            fixed.requires_grad_(False)
    batches = crops(folder, tier, random.Random(options.seed))
    held_out = normalised(load_shard(shard_paths(folder, (tier.pixels, tier.pixels))[0])[0][:64])

    def loss_of(network: nn.Module, step: int) -> Tensor:
        assert isinstance(network, AutoencoderKL)
        wanted = normalised(next(batches)).contiguous(memory_format=torch.channels_last)
        with autocast():
            posterior = encode(network, wanted)
            made = decode(network, posterior.sample())
        return reconstruction_loss(made.float(), wanted) + KL_WEIGHT * posterior.kl().mean() / posterior.mean[0].numel()

    def show(averaged: nn.Module) -> None:
        assert isinstance(averaged, AutoencoderKL)
        with torch.no_grad():
            made = decode(averaged, encode(averaged, held_out[:16]).mode())
        rows = np.concatenate([to_uint8(held_out[:16]), to_uint8(made)])
        grid(rows, 16).save(folder / f"{name}.png")
        print(f"\n{name}: PSNR {psnr(averaged, held_out):.2f} dB", flush=True)

    settings = LoopSettings(
        learning_rate=7e-4 if options.decoder_only else 1.5e-3,
        weight_decay=1e-4,
        warmup_steps=50,
        averaging=0.998,
        minutes=options.minutes or (None if options.steps else tier.autoencoder_minutes),
        steps=options.steps,
        checkpoint_seconds=120,
        seed=options.seed,
    )
    train(network, loss_of, folder / f"{name}.pt", settings, show)


def _averaged(checkpoint: Path) -> dict[str, Tensor]:
    return torch.load(checkpoint, map_location=device(), weights_only=True)["averaged"]


def trained(folder: Path, tier: Tier) -> AutoencoderKL:
    """Return the trained autoencoder, with the separately trained decoder if there is one."""
    network = AutoencoderKL(**tier.autoencoder)
    nn.Module.to(network, device())
    decoder = folder / "decoder.pt"
    network.load_state_dict(_averaged(decoder if decoder.exists() else folder / "autoencoder.pt"))
    return network.eval().requires_grad_(False)


def grid(pictures: np.ndarray, columns: int) -> Image.Image:
    """Arrange uint8 pictures of equal size on a sheet."""
    height, width = pictures.shape[1:3]
    sheet = Image.new("RGB", (columns * (width + 2), -(-len(pictures) // columns) * (height + 2)), "gray")
    for index, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (index % columns * (width + 2), index // columns * (height + 2)))
    return sheet
