"""The bar that the model has to pass, and the table that shows whether it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

Values = Mapping[str, float | list[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One criterion of the bar; `least` is the minimum per tier."""

    name: str
    title: str
    least: dict[str, float]
    ceiling: str | None = None


ROWS = (
    Row("background", "background right", {"a": 0.97, "b": 0.98}, "ceiling_background"),
    Row("colour", "colour right (prompts that name one)", {"a": 0.90, "b": 0.95}, "ceiling_colour"),
    Row("object", "object right (top-1)", {"a": 0.55, "b": 0.80}, "ceiling_object"),
    Row("colour_edit", "colour edit done at .7", {"a": 0.85, "b": 0.90}),
    Row("colour_kept", "old colour kept at .15", {"a": 0.80, "b": 0.90}),
    Row("shape_kept", "shape kept in a colour edit at .7", {"a": 0.50, "b": 0.75}),
    Row("swap", "object swapped at .85", {"a": 0.65, "b": 0.80}),
    Row("photograph_object", "object right over a photograph at .75", {"a": 0.55, "b": 0.80}),
    Row("photograph_background", "background right there", {"a": 0.85, "b": 0.90}),
    Row("variety", "pairwise distance of 8 seeds at .7", {"a": 0.05, "b": 0.05}),
    Row("psnr", "autoencoder, dB PSNR", {"a": 28, "b": 30}),
)
NEAREST = 0.06
GAIN, GAIN_SLACK = 0.10, 0.05
SCHEDULER_SPREAD = {"a": 0.10, "b": 0.05}
CPU_SECONDS = {"a": 1.0, "b": 1.5}


def judged(values: Values, tier: str) -> list[tuple[str, str, str, bool]]:
    """Return (criterion, measured, wanted, passed) for everything that was measured."""
    lines = []
    for row in ROWS:
        if row.name in values:
            value, least = _number(values, row.name), row.least[tier]
            ceiling = f" (ceiling {_number(values, row.ceiling):.3f})" if row.ceiling in values else ""
            lines.append((row.title, f"{value:.3f}{ceiling}", f"≥ {least:g}", value >= least))
    for name in ("object", "colour"):
        if name in values and f"{name}_free" in values:
            free, gain = _number(values, f"{name}_free"), _number(values, name) - _number(values, f"{name}_free")
            least = next(row.least[tier] for row in ROWS if row.name == name)
            passed = gain >= GAIN or free >= least - GAIN_SLACK
            wanted = f"gain ≥ {GAIN:g}, or guidance 1 ≥ {least - GAIN_SLACK:.2f}"
            lines.append((f"guidance 4 over 1, {name}", f"{gain:+.3f} from {free:.3f}", wanted, passed))
    if "distances" in values:
        steps = values["distances"]
        assert isinstance(steps, list)
        rising = all(a < b for a, b in pairwise(steps))
        shown = " ".join(f"{step:.3f}" for step in steps)
        wanted = f"rising, ≤ {NEAREST:g} at .2"
        lines.append(("distance to the input at .2 .4 .6 .8 1", shown, wanted, rising and steps[0] <= NEAREST))
    spreads = [value for name, value in values.items() if name.startswith("scheduler ")]
    if spreads:
        columns = list(zip(*(row for row in spreads if isinstance(row, list)), strict=True))
        spread = max(max(column) - min(column) for column in columns)
        wanted = f"≤ {SCHEDULER_SPREAD[tier]:g}"
        lines.append(("five schedulers apart by at most", f"{spread:.3f}", wanted, spread <= SCHEDULER_SPREAD[tier]))
    if "cpu_seconds" in values:
        seconds, rate = _number(values, "cpu_seconds"), _number(values, "gemm_gflops")
        shown = f"{seconds:.2f} s at {rate:.0f} GFLOP/s"
        lines.append(("20 steps on one core", shown, f"≤ {CPU_SECONDS[tier]:g} s", seconds <= CPU_SECONDS[tier]))
    return lines


def printed(values: Values, tier: str) -> str:
    """Return the bar as a Markdown table."""
    lines = ["| row | measured | wanted | passed |", "|---|---|---|---|"]
    lines += [f"| {a} | {b} | {c} | {'yes' if ok else 'NO'} |" for a, b, c, ok in judged(values, tier)]
    for name, value in values.items():
        if name.startswith("scheduler ") and isinstance(value, list):
            lines.append(f"| {name} (object, colour, background) | {' '.join(f'{v:.3f}' for v in value)} | | |")
    return "\n".join(lines)


def _number(values: Values, name: str | None) -> float:
    value = values[name or ""]
    assert isinstance(value, float | int)
    return float(value)
