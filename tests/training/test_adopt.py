"""An exported model can be trained further: what is adopted is that model, and a run starts from it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from training import tokenizer
from training.adopt import adopt, beginning
from training.autoencoder import trained
from training.denoiser import Denoiser
from training.export import assembled
from training.loop import LoopSettings, train
from training.tiers import TIER_A

MODEL = Path(__file__).parents[2] / "models" / "demo"


def test_the_adopted_parts_are_the_model(tmp_path: Path) -> None:
    adopt(MODEL, tmp_path)
    denoiser = Denoiser(TIER_A, tokenizer.load(tmp_path))
    denoiser.load_state_dict(torch.load(tmp_path / "unet.pt", weights_only=True)["network"])
    pipeline = assembled(tmp_path, TIER_A, denoiser)
    again = type(pipeline).from_pretrained(MODEL, local_files_only=True)
    assert pipeline.vae.config["scaling_factor"] == again.vae.config["scaling_factor"]
    for name in ("unet", "text_encoder", "vae"):
        theirs = getattr(again, name).state_dict()
        for key, tensor in getattr(pipeline, name).state_dict().items():
            assert torch.equal(tensor, theirs[key]), (name, key)
    assert trained(tmp_path, TIER_A).training is False


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    adopt(MODEL, tmp_path)
    torch.save({"network": {}}, tmp_path / "unet.pt")
    adopt(MODEL, tmp_path)
    assert torch.load(tmp_path / "unet.pt", weights_only=True) == {"network": {}}


def test_a_run_begins_at_step_0_from_the_adopted_weights(tmp_path: Path) -> None:
    wanted = {"weight": torch.full((1, 4), 3.0), "bias": torch.zeros(1)}
    torch.save(beginning(wanted), tmp_path / "run.pt")
    seen: list[tuple[int, Tensor]] = []

    def loss_of(network: nn.Module, step: int) -> Tensor:
        seen.append((step, network.state_dict()["weight"].clone()))
        return network(torch.ones(1, 4)).square().mean()

    train(nn.Linear(4, 1), loss_of, tmp_path / "run.pt", LoopSettings(learning_rate=0.01, steps=3))
    assert [step for step, _ in seen] == [0, 1, 2]
    assert torch.equal(seen[0][1], wanted["weight"])
    assert torch.load(tmp_path / "run.pt", weights_only=True)["step"] == 3
