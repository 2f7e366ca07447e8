"""Train the judge: a small network that classifies the object, colour and background of a picture."""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import trange

from training.autoencoder import decode, encode, normalised, to_uint8, trained
from training.command_line import run_of, run_parser
from training.data import Spec, drawn, sampled
from training.loop import LoopSettings, device, train
from training.tiers import Tier
from training.words import Vocabulary

CHANNELS = ((3, 32, 2), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 192, 2), (192, 192, 1))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Class indices (batch,) into the vocabulary's objects, colours and backgrounds."""

    objects: Tensor
    colours: Tensor
    backgrounds: Tensor


class Judge(nn.Module):
    """Classify pictures (batch, 3, height, width) in -1..1; the input is scaled to 64 pixels first."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.sizes = [len(vocabulary.objects), len(vocabulary.colours), len(vocabulary.backgrounds)]
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for a, b, stride in CHANNELS
        ]
        self.features = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.2))
        self.head = nn.Linear(4 * CHANNELS[-1][1], sum(self.sizes))

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return logits for objects, colours and backgrounds."""
        if pictures.shape[-1] != 64:
            pictures = functional.interpolate(pictures, (64, 64), mode="bilinear", antialias=True)
        return self.head(self.features(pictures)).split(self.sizes, 1)

    @torch.no_grad()
    def verdict(self, pictures: Tensor) -> Verdict:
        self.eval()
        return Verdict(*(logits.argmax(1) for logits in self(pictures)))


def truth(specs: list[Spec], vocabulary: Vocabulary) -> Verdict:
    """Return the class indices of what the pictures were meant to show."""
    subjects = [spec.subjects[0] for spec in specs]
    rows = (
        [vocabulary.objects.index(subject.word) for subject in subjects],
        [vocabulary.colours.index(subject.colour or "natural") for subject in subjects],
        [vocabulary.backgrounds.index(spec.background or "white") for spec in specs],
    )
    return Verdict(*(torch.tensor(row, device=device()) for row in rows))


def examples(tier: Tier, count: int, seed: str) -> tuple[np.ndarray, list[Spec]]:
    """Draw pictures of one object on a named background, from a seed that the model never saw."""
    rng = random.Random(f"judge {seed}")
    specs: list[Spec] = []
    while len(specs) < count:
        spec = sampled(tier.vocabulary, rng)
        if len(spec.subjects) == 1 and spec.background in tier.vocabulary.backgrounds:
            specs.append(replace(spec, style=None))
    size = (tier.pixels, tier.pixels)
    sets = tier.vocabulary.art_sets
    return np.stack([np.asarray(drawn(spec, size, rng, art_sets=sets)) for spec in specs]), specs


@torch.no_grad()
def round_trip(autoencoder: AutoencoderKL, pictures: np.ndarray) -> np.ndarray:
    """Encode and decode uint8 pictures."""
    parts = []
    for start in range(0, len(pictures), 100):
        latents = encode(autoencoder, normalised(pictures[start : start + 100])).mode()
        parts.append(to_uint8(decode(autoencoder, latents)))
    return np.concatenate(parts)


def path(tier: Tier) -> Path:
    return Path(__file__).parent / f"judge_{tier.name}.safetensors"


def load(tier: Tier) -> Judge:
    """Return the committed judge."""
    judge = Judge(tier.vocabulary)
    judge.load_state_dict({name: tensor.float() for name, tensor in load_file(path(tier)).items()})
    return judge.to(device()).eval()


def accuracy(judge: Judge, pictures: np.ndarray, specs: list[Spec], tier: Tier) -> tuple[float, float, float]:
    """Return the fractions of objects, colours and backgrounds that the judge classifies correctly."""
    seen, right = judge.verdict(normalised(pictures)), truth(specs, tier.vocabulary)
    pairs = (
        (seen.objects, right.objects),
        (seen.colours, right.colours),
        (seen.backgrounds, right.backgrounds),
    )
    objects, colours, backgrounds = (float((a == b).float().mean()) for a, b in pairs)
    return objects, colours, backgrounds


def main(arguments: list[str]) -> None:
    parser = run_parser("classifier", __doc__)
    parser.add_argument("--pictures", type=int, default=14_000)
    parser.add_argument("--steps", type=int, default=1_600)
    options = parser.parse_args(arguments)
    tier, folder = run_of(options)
    autoencoder = trained(folder, tier)
    kept = folder / "judge-pictures.npz"
    if not kept.exists():
        pictures, specs = examples(tier, options.pictures, "training")
        right = truth(specs, tier.vocabulary)
        labels = torch.stack([right.objects, right.colours, right.backgrounds], 1).cpu().numpy()
        blurred = [round_trip(autoencoder, pictures[s : s + 500]) for s in trange(0, len(pictures), 500)]
        np.savez(kept, clear=pictures, blurred=np.concatenate(blurred), labels=labels)
    with np.load(kept) as archive:
        sources = [archive["clear"], archive["blurred"]]
        labels = torch.from_numpy(archive["labels"]).to(device())
    random_rows = np.random.default_rng(0)

    def loss_of(network: nn.Module, step: int) -> Tensor:
        rows = random_rows.integers(len(labels), size=64)
        seen = normalised(sources[step % 2][rows])
        seen = seen + 0.06 * torch.randn(len(seen), 1, 1, 1, device=seen.device)
        seen = seen + 0.16 * torch.rand(()).item() * torch.randn_like(seen)
        if step % 3 == 0:
            seen = functional.avg_pool2d(functional.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, 1)
        logits = network.train()(seen)
        chosen = labels[torch.from_numpy(rows).to(labels.device)].unbind(1)
        losses = [functional.cross_entropy(a, b, label_smoothing=0.05) for a, b in zip(logits, chosen, strict=True)]
        return torch.stack(losses).sum()

    settings = LoopSettings(learning_rate=2e-3, weight_decay=0.05, averaging=0.99, steps=options.steps)
    judge = train(Judge(tier.vocabulary).to(device()), loss_of, folder / "judge.pt", settings)
    save_file({name: tensor.half().contiguous() for name, tensor in judge.state_dict().items()}, path(tier))
    unseen, specs = examples(tier, 500, "unseen")
    for name, shown in (("drawn", unseen), ("after the autoencoder", round_trip(autoencoder, unseen))):
        print(name, "object {:.3f} colour {:.3f} background {:.3f}".format(*accuracy(load(tier), shown, specs, tier)))
