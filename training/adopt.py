"""Start from an exported model: its tokenizer, autoencoder and denoiser become the checkpoints of a new run."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from training.command_line import model_folder, run_of, run_parser


def adopted(model: Path, part: str) -> dict[str, Tensor]:
    """Return the weights of one part of a diffusers folder, in float32."""
    (file,) = (model / part).glob("*.safetensors")
    return {name: tensor.float() for name, tensor in load_file(file).items()}


def beginning(network: dict[str, Tensor]) -> dict[str, Any]:
    """Return a checkpoint with which `training.loop.train` starts at step 0 from these weights."""
    return {"network": network, "averaged": network}


def adopt(model: Path, folder: Path) -> None:
    """Write the model's parts into a run's folder; existing checkpoints are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(model / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    configuration = json.loads((model / "vae" / "config.json").read_text())
    (folder / "latents.json").write_text(json.dumps({"scaling_factor": configuration["scaling_factor"]}))
    denoiser = {
        **{f"text.{name}": tensor for name, tensor in adopted(model, "text_encoder").items()},
        **{f"unet.{name}": tensor for name, tensor in adopted(model, "unet").items()},
    }
    for name, network in (("autoencoder", adopted(model, "vae")), ("unet", denoiser)):
        checkpoint = folder / f"{name}.pt"
        if not checkpoint.exists():
            torch.save(beginning(network), checkpoint)


def main(arguments: list[str]) -> None:
    parser = run_parser("adopt", __doc__)
    parser.add_argument("--model", type=model_folder, default=Path("models/demo"))
    options = parser.parse_args(arguments)
    _, folder = run_of(options)
    adopt(options.model, folder)
