"""Draw up the evaluation questions once, from a fixed seed over all words, and commit them before any training."""

import argparse
import json
import random
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from training.data import Spec, Subject, caption
from training.tiers import TIERS, Tier
from training.words import COLOURS, SCENES

PROMPTS, SEEDS, COLOUR_EDITS, SWAPS, SCHEDULER_PROMPTS = 200, 2, 48, 48, 160


def path(tier: Tier) -> Path:
    return Path(__file__).parent / f"evaluation_set_{tier.name}.json"


def composed(tier: Tier, seed: int = 2026) -> dict[str, Any]:
    """Sample prompts (every object in turn), colour edits on white, and object swaps on any plain colour."""
    rng = random.Random(seed)
    vocabulary = tier.vocabulary
    prompts, edits, swaps = [], [], []
    for index in range(PROMPTS):
        word = vocabulary.objects[index % len(vocabulary.objects)]
        behind = rng.choice(list(COLOURS) if rng.random() < 0.5 else list(SCENES))
        coloured = word in vocabulary.shapes or rng.random() < 0.5
        colour = rng.choice([name for name in COLOURS if name != behind]) if coloured else None
        spec = Spec(subjects=(Subject(word=word, colour=colour),), background=behind)
        seeds = [rng.randrange(2**31) for _ in range(SEEDS)]
        prompts.append({"prompt": caption(spec), "spec": asdict(spec), "seeds": seeds})
    for _ in range(COLOUR_EDITS):
        old, new = rng.sample([name for name in COLOURS if name != "white"], 2)
        spec = Spec(subjects=(Subject(word=rng.choice(vocabulary.objects), colour=old),), background="white")
        edits.append(_edit(spec, replace(spec.subjects[0], colour=new), rng))
    for _ in range(SWAPS):
        behind = rng.choice(list(COLOURS))
        old, new = rng.sample(vocabulary.nouns, 2)
        spec = Spec(subjects=(Subject(word=old),), background=behind)
        swaps.append(_edit(spec, replace(spec.subjects[0], word=new), rng))
    return {"seed": seed, "prompts": prompts, "colour_edits": edits, "swaps": swaps}


def _edit(spec: Spec, wanted: Subject, rng: random.Random) -> dict[str, Any]:
    return {
        "input": asdict(spec),
        "wanted": asdict(wanted),
        "prompt": caption(replace(spec, subjects=(wanted,))),
        "seed": rng.randrange(2**31),
    }


def main(arguments: list[str]) -> None:
    argparse.ArgumentParser(prog="python -m training evaluation_set", description=__doc__).parse_args(arguments)
    for tier in TIERS.values():
        path(tier).write_text(json.dumps(composed(tier), indent=1) + "\n")
