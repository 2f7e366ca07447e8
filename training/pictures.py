"""Store drawn pictures in shards on disk: drawing one costs as much as a training step, so each is used many times."""

import errno
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from training.command_line import run_of, run_parser
from training.data import Spec, Subject, caption, drawn, sampled
from training.tiers import Tier

SHARD = 2_000


def shard_paths(folder: Path, size: tuple[int, int]) -> list[Path]:
    """List the finished shards of one picture size; raise FileNotFoundError if there is none."""
    names = f"pictures-{size[0]}x{size[1]}-*.npy"
    if not (found := sorted(folder.glob(names))):
        raise FileNotFoundError(errno.ENOENT, "no such pictures", str(folder / names))
    return found


def load_shard(path: Path) -> tuple[np.ndarray, list[str], list[Spec]]:
    """Return pictures (count, height, width, 3) as uint8, their captions and what they show."""
    rows = json.loads(path.with_suffix(".json").read_text())
    return np.load(path, mmap_mode="r"), [row["caption"] for row in rows], [spec_of(row["spec"]) for row in rows]


def spec_of(row: dict[str, Any]) -> Spec:
    """Rebuild a Spec from its JSON."""
    return Spec(**{**row, "subjects": tuple(Subject(**subject) for subject in row["subjects"])})


def draw_shard(folder: Path, tier: Tier, size: tuple[int, int], index: int, count: int) -> Path:
    """Draw one shard from its own seed; a finished one is left as it is."""
    path = folder / f"pictures-{size[0]}x{size[1]}-{index:04d}.npy"
    if path.exists():
        return path
    rng = random.Random(f"{tier.name} {size} {index}")
    rows, pictures = [], np.empty((count, size[1], size[0], 3), np.uint8)
    for row in range(count):
        spec = sampled(tier.vocabulary, rng)
        rows.append({"caption": caption(spec, rng), "spec": asdict(spec)})
        pictures[row] = np.asarray(drawn(spec, size, rng, art_sets=tier.vocabulary.art_sets))
    path.with_suffix(".json").write_text(json.dumps(rows))
    partial = path.with_suffix(".partial.npy")
    np.save(partial, pictures)
    partial.rename(path)
    return path


def main(arguments: list[str]) -> None:
    parser = run_parser("pictures", __doc__)
    parser.add_argument("--share", type=float, default=1.0, help="how much of the tier's pictures to draw")
    parser.add_argument("--part", default="0/1", help="i/n: draw every n-th shard, for n processes side by side")
    options = parser.parse_args(arguments)
    tier, folder = run_of(options)
    folder.mkdir(parents=True, exist_ok=True)
    part, parts = map(int, options.part.split("/"))
    work = [
        (size, index)
        for size in tier.sizes
        for index in range(max(size == tier.sizes[0], round(options.share * pictures_wanted(tier, size) / SHARD)))
    ]
    for size, index in tqdm(work[part::parts], desc="shards"):
        draw_shard(folder, tier, size, index, SHARD)


def pictures_wanted(tier: Tier, size: tuple[int, int]) -> int:
    return tier.square_pictures if size == (tier.pixels, tier.pixels) else tier.bucket_pictures
