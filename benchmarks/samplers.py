"""Which sampler gets to the end with the fewest denoiser calls, judged where the end is known exactly.

    python -m benchmarks samplers --seeds 2
    python -m benchmarks samplers --noise squaredcos_cap_v2

If pictures are a mixture of Gaussians, the optimal denoiser is a formula, and the path from noise to picture is an
ordinary differential equation that can be solved to any accuracy. A sampler's error is the distance between its result
and the exact one. No weights are needed, and no model error hides the sampler's.

If one sample in sixteen misses its mode, that is a large error of the mean, so the table gives the median over the
samples. Euler a is left out: it adds noise on the way and therefore has no single end.
"""

import argparse
import importlib
import itertools
import json
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from generation.engine.schedules import fresh_scheduler, prepare_schedule, training_sigmas
from generation.requests import StrengthSchedule, denoising_steps

DIMENSIONS, MODES, SAMPLES = 64, 16, 32
EXACT_STEPS = 400
# The noise schedules of Stable Diffusion's training and of the demo model's.
NOISE: dict[str, dict[str, Any]] = {
    "scaled_linear": {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1},
    "squaredcos_cap_v2": {"beta_schedule": "squaredcos_cap_v2", "steps_offset": 1, "timestep_spacing": "trailing"},
}
STRENGTHS = (0.3, 0.5, 0.75, 0.9)
STEPS = (6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
SAMPLERS = ("ddim", "euler", "dpm++2m-karras", "unipc")
# The recipe of 2022 that serves as the baseline: PNDM, 50 steps, of which strength takes its share.
RECIPE_STEPS = 50


class Mixture:
    """Narrow Gaussians around random centres; ``sigma`` is the ratio of noise to picture throughout."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.centres = self.normal(MODES, DIMENSIONS) * 0.9
        self.variances = torch.rand(MODES, generator=self._generator, dtype=torch.float64) * 0.02 + 0.01
        self.pictures = self._pictures()
        self.noise = self.normal(SAMPLES, DIMENSIONS)
        self._exact: dict[float, torch.Tensor] = {}

    def normal(self, *shape: int) -> torch.Tensor:
        """Draw numbers from the standard normal distribution."""
        return torch.randn(*shape, generator=self._generator, dtype=torch.float64)

    def _pictures(self) -> torch.Tensor:
        modes = torch.randint(MODES, (SAMPLES,), generator=self._generator)
        return self.centres[modes] + self.variances[modes, None].sqrt() * self.normal(SAMPLES, DIMENSIONS)

    def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the posterior mean of the picture, given that ``x`` is one with noise of ``sigma``."""
        spread = self.variances + sigma**2
        distance = ((x[:, None] - self.centres) ** 2).sum(-1)
        weights = torch.softmax(-distance / (2 * spread) - DIMENSIONS / 2 * spread.log(), dim=1)
        means = self.centres + (self.variances / spread)[:, None] * (x[:, None] - self.centres)
        return (weights[..., None] * means).sum(1)

    def exact_end(self, sigma: float) -> torch.Tensor:
        """Solve the differential equation from the pictures with noise of ``sigma`` to its end, with Heun's method."""
        key = round(sigma, 5)
        if key not in self._exact:
            self._exact[key] = self._followed(self.pictures + sigma * self.noise, sigma)
        return self._exact[key]

    def _followed(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        sigmas = [*np.geomspace(sigma, 1e-3, EXACT_STEPS).tolist(), 0.0]
        for here, there in itertools.pairwise(sigmas):
            slope = (x - self.denoise(x, here)) / here
            end = x + slope * (there - here)
            if there > 0:
                slope = (slope + (end - self.denoise(end, there)) / there) / 2
            x = x + slope * (there - here)
        return x


def sample(mixture: Mixture, scheduler: Any, timesteps: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Return the initial sigma and the scheduler's result with the exact denoiser, one call per timestep."""
    training = training_sigmas(scheduler)
    has_sigmas = hasattr(scheduler, "sigmas")
    sigmas = [
        float(scheduler.sigmas[scheduler.begin_index + index]) if has_sigmas else float(training[int(timestep)])
        for index, timestep in enumerate(timesteps)
    ]
    x = scheduler.add_noise(mixture.pictures, mixture.noise, timesteps[:1])
    for sigma, timestep in zip(sigmas, timesteps, strict=True):
        preserved = scheduler.scale_model_input(x, timestep)  # picture and noise together have variance 1
        alpha = 1 / (1 + sigma**2)
        picture = mixture.denoise(preserved / alpha**0.5, sigma)
        predicted_noise = (preserved - alpha**0.5 * picture) / (1 - alpha) ** 0.5
        x = scheduler.step(predicted_noise, timestep, x, return_dict=False)[0]
    return sigmas[0], x


def measure(
    model: Any,
    sampler: str,
    steps: int,
    strength: float,
    strength_schedule: StrengthSchedule,
    mixtures: Sequence[Mixture],
) -> tuple[int, float]:
    """Return the calls and the median relative distance to the exact result over the samples of all mixtures."""
    distances: list[torch.Tensor] = []
    calls = 0
    for mixture in mixtures:
        scheduler = fresh_scheduler(model, sampler)
        timesteps = prepare_schedule(
            scheduler, num_inference_steps=steps, strength=strength, strength_schedule=strength_schedule
        )
        sigma, found = sample(mixture, scheduler, timesteps)
        exact = mixture.exact_end(sigma)
        distances.append((found - exact).norm(dim=1) / exact.norm(dim=1))
        calls = len(timesteps)
    return calls, float(torch.cat(distances).median())


def table(noise: str, mixtures: Sequence[Mixture]) -> list[dict[str, Any]]:
    """Measure every sampler at every strength and number of steps, and the recipe of 2022 for comparison."""
    config = NOISE[noise]
    pndm = importlib.import_module("diffusers.schedulers").PNDMScheduler(skip_prk_steps=True, **config)
    rows: list[dict[str, Any]] = []
    for strength in STRENGTHS:
        calls, error = measure(pndm, "own", RECIPE_STEPS, strength, "index", mixtures)
        rows.append(
            {"strength": strength, "sampler": "pndm (index)", "steps": RECIPE_STEPS, "calls": calls, "error": error}
        )
        for sampler in SAMPLERS:
            for steps in STEPS:
                if denoising_steps(strength, steps) >= 2:
                    calls, error = measure(pndm, sampler, steps, strength, "noise", mixtures)
                    rows.append(
                        {"strength": strength, "sampler": sampler, "steps": steps, "calls": calls, "error": error}
                    )
    return rows


def fewest_calls(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by sampler and strength, the smallest number of steps that is as good as the recipe."""
    best: list[dict[str, Any]] = []
    for strength, of_strength in itertools.groupby(rows, key=lambda row: row["strength"]):
        recipe, *others = of_strength
        for sampler, of_sampler in itertools.groupby(others, key=lambda row: row["sampler"]):
            enough = next((row for row in of_sampler if row["error"] <= recipe["error"]), None)
            best.append({"strength": strength, "sampler": sampler, "recipe": recipe, "enough": enough})
    return best


def main(values: Sequence[str] = ()) -> int:
    """Print the tables as Markdown, followed by everything as JSON; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks samplers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--noise", choices=NOISE, default="scaled_linear", help="how the noise grew in the training")
    parser.add_argument("--seeds", type=int, default=2, help="how many mixtures of 32 samples")
    options = parser.parse_args(values)
    warnings.simplefilter("ignore", DeprecationWarning)  # from diffusers with numpy 2
    rows = table(options.noise, [Mixture(seed) for seed in range(options.seeds)])
    print("| strength | sampler | " + " | ".join(f"{steps} steps" for steps in (*STEPS,)) + " |")
    print("|---|---|" + "---|" * len(STEPS))
    for (strength, sampler), group in itertools.groupby(rows, key=lambda row: (row["strength"], row["sampler"])):
        cells = {row["steps"]: f"{row['calls']}: {row['error']:.4f}" for row in group}
        print(f"| {strength} | {sampler} | " + " | ".join(cells.get(steps, "") for steps in STEPS) + " |")
    print("\n| strength | recipe of 2022 | sampler | as good with | calls |\n|---|---|---|---|---|")
    for row in fewest_calls(rows):
        recipe, enough = row["recipe"], row["enough"]
        found = f"{enough['steps']} steps | {enough['calls']}" if enough else "not reached | "
        print(f"| {row['strength']} | {recipe['calls']}: {recipe['error']:.4f} | {row['sampler']} | {found} |")
    print(json.dumps({"noise": options.noise, "seeds": options.seeds, "rows": rows}))
    return 0
