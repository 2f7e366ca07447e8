"""The committed weights: they load like any model, and follow words, edits and strength (a short form of the bar)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training import evaluation_set
from training.evaluate import Bench
from training.tiers import TIER_A

MODEL = Path(__file__).parents[2] / "models" / "demo"
PROMPTS = 16


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(MODEL, TIER_A, PROMPTS / evaluation_set.PROMPTS)


def _shares(bench: Bench, prompts: int = PROMPTS) -> tuple[float, float, float]:
    rows = bench.prompts[:prompts]
    made = bench.made([row["prompt"] for row in rows], [row["seeds"][0] for row in rows])
    return bench.shares_right(made, rows)


def test_words_are_followed(bench: Bench) -> None:
    objects, colours, backgrounds = _shares(bench)
    assert objects >= 0.8
    assert colours >= 0.85
    assert backgrounds >= 0.9


def test_random_weights_would_fail(bench: Bench) -> None:
    trained = {name: tensor.clone() for name, tensor in bench.make.unet.state_dict().items()}
    torch.manual_seed(0)
    for parameter in bench.make.unet.parameters():
        nn.init.normal_(parameter, std=0.02)
    objects, _, backgrounds = _shares(bench, PROMPTS // 2)
    bench.make.unet.load_state_dict(trained)
    assert objects < 0.15
    assert backgrounds < 0.4


def test_strength_leads_away_from_the_input(bench: Bench) -> None:
    rows = bench.colour_edits
    pictures = np.stack([np.full((64, 64, 3), 128, np.uint8)] * len(rows))
    prompts, seeds = [row["prompt"] for row in rows], [row["seed"] for row in rows]
    near, middle, far = (
        np.abs(bench.edited(pictures, prompts, seeds, strength).astype(int) - pictures).mean()
        for strength in (0.2, 0.6, 1.0)
    )
    assert near < middle < far


def test_a_seed_is_a_picture(bench: Bench) -> None:
    first, again, other = (bench.made(["a cat on a blue background"], [seed]) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_it_loads_offline_without_a_warning() -> None:
    program = (
        "import sys, torch\n"
        "from diffusers import AutoPipelineForImage2Image\n"
        "from diffusers.utils import logging\n"
        "pipe = AutoPipelineForImage2Image.from_pretrained(sys.argv[1], local_files_only=True)\n"
        "assert pipe.unet.dtype == pipe.text_encoder.dtype == pipe.vae.dtype == torch.float32\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(MODEL)],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Without torchvision, transformers logs a note at import, whatever is loaded afterwards.
    said = [line for line in done.stderr.splitlines() if "torchvision" not in line and "%|" not in line]
    assert [line for line in said if line.strip()] == []


def test_the_folder_is_small_and_says_what_it_knows() -> None:
    size = sum(file.stat().st_size for file in MODEL.rglob("*") if file.is_file())
    assert size <= 45_000_000
    known = json.loads((MODEL / "vocabulary.json").read_text())
    assert set(known["nouns"]) == set(TIER_A.vocabulary.nouns)
    assert len(known["nouns"]) + len(known["shapes"]) >= 25
