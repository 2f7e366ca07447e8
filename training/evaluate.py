"""Measure the model against the bar: generate for the committed questions, let the judge classify, print the table."""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from PIL import Image
from torch import Tensor

from training import classifier, evaluation_set, photographs
from training.autoencoder import normalised, psnr, to_uint8
from training.bar import printed
from training.command_line import model_folder
from training.data import Spec, drawn
from training.loop import device
from training.pictures import spec_of
from training.tiers import TIERS, Tier

STEPS, GUIDANCE, BATCH = 20, 4.0, 40
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
SCHEDULERS = (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    EulerAncestralDiscreteScheduler,
    UniPCMultistepScheduler,
)

Measured = dict[str, float | list[float]]


class Bench:
    """The model, the judge and the questions; each method measures some rows of the table."""

    def __init__(self, model: Path, tier: Tier, share: float) -> None:
        self.tier, self.judge = tier, classifier.load(tier)
        self.edit: StableDiffusionImg2ImgPipeline = AutoPipelineForImage2Image.from_pretrained(model)
        self.edit.set_progress_bar_config(disable=True)
        self.edit.to(device())
        self.make = StableDiffusionPipeline(**self.edit.components, requires_safety_checker=False)
        self.make.set_progress_bar_config(disable=True)
        questions = json.loads(evaluation_set.path(tier).read_text())
        self.prompts = _share(questions["prompts"], share)
        self.colour_edits = _share(questions["colour_edits"], share)
        self.swaps = _share(questions["swaps"], share)

    def made(self, prompts: Sequence[str], seeds: Sequence[int], guidance: float = GUIDANCE) -> np.ndarray:
        """Generate pictures (count, height, width, 3) as uint8 from text alone."""
        parts = []
        for start in range(0, len(prompts), BATCH):
            made = self.make(
                list(prompts[start : start + BATCH]),
                width=self.tier.pixels,
                height=self.tier.pixels,
                num_inference_steps=STEPS,
                guidance_scale=guidance,
                generator=_generators(seeds[start : start + BATCH]),
                output_type="np",
                return_dict=False,
            )
            parts.append(made[0])
        return _uint8(np.concatenate(parts))

    def edited(self, pictures: np.ndarray, prompts: Sequence[str], seeds: Sequence[int], strength: float) -> np.ndarray:
        parts = []
        for start in range(0, len(prompts), BATCH):
            stop = start + BATCH
            made = self.edit(
                list(prompts[start:stop]),
                image=[Image.fromarray(picture) for picture in pictures[start:stop]],
                strength=strength,
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=_generators(seeds[start:stop]),
                output_type="np",
                return_dict=False,
            )
            parts.append(made[0])
        return _uint8(np.concatenate(parts))

    def seen(self, pictures: np.ndarray) -> classifier.Verdict:
        return self.judge.verdict(normalised(pictures))

    def shares_right(self, pictures: np.ndarray, rows: list[dict[str, Any]]) -> tuple[float, float, float]:
        """Return the fractions of correct objects, correct colours (where one was named) and correct backgrounds."""
        specs = [spec_of(row["spec"]) for row in rows]
        seen, right = self.seen(pictures), classifier.truth(specs, self.tier.vocabulary)
        named = torch.tensor([spec.subjects[0].colour is not None for spec in specs])
        return (
            _mean(seen.objects == right.objects),
            _mean((seen.colours == right.colours)[named]),
            _mean(seen.backgrounds == right.backgrounds),
        )

    def ceilings(self) -> Measured:
        """Measure the judge on unseen pictures after the autoencoder's round trip, and the autoencoder itself."""
        pictures, specs = classifier.examples(self.tier, 500, "unseen")
        again = classifier.round_trip(self.edit.vae, pictures)
        names = ("ceiling_object", "ceiling_colour", "ceiling_background")
        measured: Measured = dict(zip(names, classifier.accuracy(self.judge, again, specs, self.tier), strict=True))
        return measured | {"psnr": psnr(self.edit.vae, normalised(pictures))}

    def words(self) -> Measured:
        rows = [row for row in self.prompts for _ in row["seeds"]]
        seeds = [seed for row in self.prompts for seed in row["seeds"]]
        prompts = [row["prompt"] for row in rows]
        guided = self.shares_right(self.made(prompts, seeds), rows)
        free = self.shares_right(self.made(prompts, seeds, guidance=1.0), rows)
        return {
            **dict(zip(("object", "colour", "background"), guided, strict=True)),
            **dict(zip(("object_free", "colour_free", "background_free"), free, strict=True)),
        }

    def edits(self) -> Measured:
        """Measure colour edits, what they preserve, and how far each strength moves away from the input."""
        pictures, prompts, seeds = self._inputs(self.colour_edits)
        colours, objects = self.tier.vocabulary.colours, self.tier.vocabulary.objects
        new = [colours.index(row["wanted"]["colour"]) for row in self.colour_edits]
        old = [colours.index(row["input"]["subjects"][0]["colour"]) for row in self.colour_edits]
        shapes = [objects.index(row["wanted"]["word"]) for row in self.colour_edits]
        after = self.seen(self.edited(pictures, prompts, seeds, 0.7))
        before = self.seen(self.edited(pictures, prompts, seeds, 0.15))
        distances = [
            float(np.abs(self.edited(pictures, prompts, seeds, s).astype(float) - pictures).mean() / 255)
            for s in STRENGTHS
        ]
        few = range(min(6, len(pictures)))
        variety = [_pairwise(self.edited(pictures[[i] * 8], [prompts[i]] * 8, range(8), 0.7)) for i in few]
        return {
            "colour_edit": _agreement(after.colours, new),
            "colour_kept": _agreement(before.colours, old),
            "shape_kept": _agreement(after.objects, shapes),
            "distances": distances,
            "variety": float(np.mean(variety)),
        }

    def object_swaps(self) -> Measured:
        pictures, prompts, seeds = self._inputs(self.swaps)
        wanted = [self.tier.vocabulary.objects.index(row["wanted"]["word"]) for row in self.swaps]
        seen = self.seen(self.edited(pictures, prompts, seeds, 0.85))
        return {"swap": _agreement(seen.objects, wanted)}

    def photographs(self) -> Measured:
        """Measure edits of photographs, most of which are not square; the judge sees the middle square."""
        files = sorted(photographs.BUNDLED.glob("*.jpg"))
        made = []
        for index, row in enumerate(self.prompts):
            picture = photographs.photograph(files[index % len(files)], self.tier)
            made.append(self.edited(picture[None], [row["prompt"]], row["seeds"][:1], 0.75)[0])
        squares = np.concatenate([photographs.middle(picture[None], self.tier.pixels) for picture in made])
        shares = self.shares_right(squares, self.prompts)
        return dict(zip(("photograph_object", "photograph_colour", "photograph_background"), shares, strict=True))

    def schedulers(self) -> Measured:
        """Measure each scheduler on the same prompts and seeds; one row each of object, colour, background."""
        rows = [row for row in self.prompts[: evaluation_set.SCHEDULER_PROMPTS] for _ in row["seeds"]]
        seeds = [seed for row in self.prompts[: evaluation_set.SCHEDULER_PROMPTS] for seed in row["seeds"]]
        measured: Measured = {}
        trained_on = self.make.scheduler
        for scheduler in SCHEDULERS:
            self.make.scheduler = scheduler.from_config(trained_on.config)
            shares = self.shares_right(self.made([row["prompt"] for row in rows], seeds), rows)
            measured[f"scheduler {scheduler.__name__}"] = list(shares)
        self.make.scheduler = trained_on
        return measured

    def speed(self) -> Measured:
        """Measure the CPU seconds of a whole edit of 20 steps on one thread, and the core's matrix product rate."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        picture, prompts = drawn_inputs([spec_of(self.colour_edits[0]["input"])], self.tier), ["a red heart"]
        seconds = [_cpu_seconds(lambda: self.edited(picture, prompts, [0], 1.0)) for _ in range(4)]
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
        rates = [2 * 1024**3 / 1e9 / _cpu_seconds(lambda: a @ b) for _ in range(20)]
        torch.set_num_threads(threads)
        return {"cpu_seconds": min(seconds[1:]), "gemm_gflops": float(np.median(rates[5:]))}

    def _inputs(self, rows: list[dict[str, Any]]) -> tuple[np.ndarray, list[str], list[int]]:
        pictures = drawn_inputs([spec_of(row["input"]) for row in rows], self.tier)
        return pictures, [row["prompt"] for row in rows], [row["seed"] for row in rows]


def drawn_inputs(specs: Sequence[Spec], tier: Tier) -> np.ndarray:
    """Draw the pictures to be edited, (count, height, width, 3) as uint8; the index is the seed."""
    size = (tier.pixels, tier.pixels)
    rows = [
        np.asarray(drawn(spec, size, random.Random(index), art_sets=tier.vocabulary.art_sets))
        for index, spec in enumerate(specs)
    ]
    return np.stack(rows)


def _share(rows: list[dict[str, Any]], share: float) -> list[dict[str, Any]]:
    return rows[: max(1, round(len(rows) * share))]


def _generators(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _uint8(pictures: np.ndarray) -> np.ndarray:
    return to_uint8(torch.from_numpy(pictures).permute(0, 3, 1, 2) * 2 - 1)


def _mean(hits: Tensor) -> float:
    return float(hits.float().mean())


def _agreement(seen: Tensor, wanted: list[int]) -> float:
    return _mean(seen.cpu() == torch.tensor(wanted))


def _pairwise(pictures: np.ndarray) -> float:
    values = pictures.astype(float) / 255
    pairs = [np.abs(values[i] - values[j]).mean() for i in range(len(values)) for j in range(i)]
    return float(np.mean(pairs))


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


PARTS: dict[str, Callable[[Bench], Measured]] = {
    "ceilings": Bench.ceilings,
    "words": Bench.words,
    "edits": Bench.edits,
    "swaps": Bench.object_swaps,
    "photographs": Bench.photographs,
    "schedulers": Bench.schedulers,
    "speed": Bench.speed,
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m training evaluate", description=__doc__)
    parser.add_argument("--tier", choices=TIERS, default="a", help="which model: a is the committed one")
    parser.add_argument("--model", type=model_folder, default=Path("models/demo"))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="measure only these")
    parser.add_argument("--share", type=float, default=1.0, help="ask only the first part of the questions")
    parser.add_argument("--results", type=Path, nargs="*", default=[], help="read these, write the first")
    options = parser.parse_args(arguments)
    measured: Measured = {}
    for file in options.results:
        measured |= json.loads(file.read_text()) if file.exists() else {}
    bench = Bench(options.model, TIERS[options.tier], options.share)
    for part in options.parts:
        measured |= PARTS[part](bench)
        if options.results:
            options.results[0].write_text(json.dumps(measured, indent=1) + "\n")
    print(printed(measured, options.tier))
