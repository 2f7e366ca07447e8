"""Export the trained parts as an ordinary diffusers folder, and a sheet of samples generated with it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from training import tokenizer as tokenizers
from training.autoencoder import grid, trained
from training.command_line import run_of, run_parser
from training.denoiser import Denoiser, scheduler
from training.latents import scaling_factor
from training.loop import device
from training.tiers import Tier
from training.words import COLOURS, PREFIXES, SCENES, STYLES, SYNONYMS

SHOWN = (
    *("a cat", "a dog in a meadow", "a red car in a city", "a rocket in space", "a panda in the snow"),
    *("a fish under water", "a blue house at sunset", "a robot on a yellow background"),
    *("a purple mushroom in a forest", "a boat on a beach", "a pumpkin at night", "a green heart on white"),
    *("pixel art of a frog", "a pencil sketch of a cat", "neon star", "a penguin in the desert"),
)


# Prompts that work well for editing a clear picture.
EXAMPLES = (
    *("a blue cat in a meadow", "a house in the snow", "a pumpkin on a blue background"),
    *("a dog in a meadow", "a red house at sunset"),
)


def vocabulary(tier: Tier) -> dict[str, object]:
    """Return what the model was taught, for code that suggests prompts or checks words; readable without tensors."""
    words = tier.vocabulary
    return {
        "nouns": list(words.nouns),
        "shapes": list(words.shapes),
        "colours": list(COLOURS),
        "scenes": {name: list(phrases) for name, (phrases, _) in SCENES.items()},
        "styles": {name: list(templates[1]) for name, templates in STYLES.items()},
        "synonyms": {word: list(others) for word, others in SYNONYMS.items() if word in words.nouns},
        "phrases": list(PREFIXES),
        "examples": list(EXAMPLES),
        "sizes": [list(size) for size in tier.sizes],
        "size_multiple": 8,
    }


def assembled(folder: Path, tier: Tier, denoiser: Denoiser) -> StableDiffusionPipeline:
    """Return the pipeline in memory, float32, with its own copies of the networks."""
    autoencoder = AutoencoderKL(**tier.autoencoder, scaling_factor=scaling_factor(folder), force_upcast=False)
    autoencoder.load_state_dict(trained(folder, tier).state_dict())
    unet = UNet2DConditionModel(**tier.unet)
    unet.load_state_dict(denoiser.unet.state_dict())
    config = denoiser.text.config.to_dict()
    text = CLIPTextModel(type(denoiser.text.config)(**config))
    text.load_state_dict(denoiser.text.state_dict())
    parts: dict[str, Any] = {
        "vae": autoencoder.eval(),
        "text_encoder": text.eval(),
        "tokenizer": tokenizers.load(folder),
        "unet": unet.eval(),
        "scheduler": scheduler(),
        "safety_checker": None,
        "feature_extractor": None,
    }
    pipeline = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sheet(pipeline: StableDiffusionPipeline, tier: Tier, path: Path) -> None:
    """Write a sheet with two seeds of each sample prompt."""
    pipeline.to(device())
    generators = [torch.Generator().manual_seed(index) for index in range(2 * len(SHOWN))]
    made = pipeline(
        [prompt for prompt in SHOWN for _ in range(2)],
        width=tier.pixels,
        height=tier.pixels,
        num_inference_steps=15,
        guidance_scale=4.0,
        generator=generators,
        output_type="np",
        return_dict=False,
    )[0]
    grid((np.asarray(made) * 255).round().astype(np.uint8), 8).save(path)


def write(pipeline: StableDiffusionPipeline, tier: Tier, target: Path) -> None:
    """Save as float16 safetensors next to the target, then move the new folder into its place.

    The configurations still say float32, which is what a CPU computes in; only the files are half-precision.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    pipeline.to("cpu").save_pretrained(partial, safe_serialization=True)
    for weights in partial.rglob("*.safetensors"):
        halved = {name: tensor.half() for name, tensor in load_file(weights).items()}
        save_file(halved, weights, metadata={"format": "pt"})
    (partial / "vocabulary.json").write_text(json.dumps(vocabulary(tier), indent=1) + "\n")
    if not target.exists():
        partial.rename(target)
        return
    for kept in target.iterdir():
        if not (partial / kept.name).exists():
            kept.rename(partial / kept.name)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.rename(old)
    partial.rename(target)
    shutil.rmtree(old)


def snapshot(folder: Path, tier: Tier, denoiser: Denoiser, target: Path | None) -> None:
    """Write the sample sheet of a run, and the whole model if a target is given."""
    pipeline = assembled(folder, tier, denoiser)
    sheet(pipeline, tier, folder / "unet.png")
    if target is not None:
        write(pipeline, tier, target)


def main(arguments: list[str]) -> None:
    parser = run_parser("export", __doc__)
    parser.add_argument("--target", type=Path, default=Path("models/demo"))
    options = parser.parse_args(arguments)
    tier, folder = run_of(options)
    denoiser = Denoiser(tier, tokenizers.load(folder))
    state = torch.load(folder / "unet.pt", map_location="cpu", weights_only=True)
    denoiser.load_state_dict(state["averaged"])
    snapshot(folder, tier, denoiser, options.target)
