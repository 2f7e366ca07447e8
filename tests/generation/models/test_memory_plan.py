"""The memory plan: sizes from files, the ladder, what fits, and what it says."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from generation.cli.main import main
from generation.models.catalog import REPOSITORY
from generation.models.memory_plan import MemoryPlan, Placement, make_plan, widest_plan
from generation.models.sizes import ModelSizes, read_sizes
from generation.settings import PACKAGED_MODELS_FILE
from tests.tiny_families.pipelines import save_tiny_family

GIBIBYTE = 2**30
# Counted on the published models: https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5 and
# https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0
SD_1_5 = ModelSizes(
    parameters={"text_encoder": 123_060_480, "unet": 859_520_964, "vae": 83_653_863},
    denoiser="unet",
    autoencoder="vae",
    latent_scale=8,
    patch=1,
    denoiser_channels=320,
    is_transformer=False,
    decoder_channels=256,
    tile_pixels=512,
)
SDXL = replace(
    SD_1_5,
    parameters={
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
        "unet": 2_567_463_684,
        "vae": 83_653_863,
    },
    tile_pixels=1024,
)


def plan_for(
    sizes: ModelSizes, gibibytes: float, side: int, device: str = "cuda", *, has_adapters: bool = False
) -> MemoryPlan:
    widest = widest_plan(device=device, dtype="bfloat16", max_width=16, has_adapters=has_adapters)
    return make_plan(widest, sizes, budget_bytes=round(gibibytes * GIBIBYTE), max_pixels=side**2)


def test_the_demo_models_sizes_are_read_from_its_headers() -> None:
    folder = REPOSITORY / "models" / "demo"
    sizes = read_sizes(folder)
    assert (sizes.denoiser, sizes.autoencoder, sizes.is_transformer) == ("unet", "vae", False)
    config = json.loads((folder / "vae" / "config.json").read_text())
    assert sizes.latent_scale == 2 ** (len(config["block_out_channels"]) - 1)
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    assert sum(sizes.parameters.values()) * 2 <= weights <= sum(sizes.parameters.values()) * 4 * 1.02


def test_variants_and_checkpoints_at_the_root_are_not_counted_twice(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(REPOSITORY / "models" / "demo", folder)
    before = read_sizes(folder).parameters
    weights = next((folder / "unet").glob("*.safetensors"))
    shutil.copy(weights, folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    shutil.copy(weights, folder / "whole.safetensors")
    assert read_sizes(folder).parameters == before


def test_a_folder_without_a_denoiser_has_no_sizes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no denoiser"):
        read_sizes(tmp_path)


@pytest.mark.parametrize(
    ("file", "contents"),
    [
        ("unet/diffusion_pytorch_model.safetensors", b""),
        ("unet/diffusion_pytorch_model.safetensors", b"\x02\0\0\0\0\0\0\0{"),
        ("unet/diffusion_pytorch_model.safetensors", b'\x0a\0\0\0\0\0\0\0{"a":[1]} '),
        ("vae/config.json", b"[]"),
        ("vae/config.json", b"{}"),
    ],
)
def test_broken_files_have_no_sizes_and_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    contents: bytes,
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(REPOSITORY / "models" / "demo", folder)
    (folder / file).write_bytes(contents)
    with pytest.raises(ValueError, match=r"broken|Expecting|no safetensors file"):
        read_sizes(folder)
    models_file = tmp_path / "models.toml"
    models_file.write_text(PACKAGED_MODELS_FILE.read_text().replace('"models/demo"', f'"{folder}"'))
    monkeypatch.setenv("MODELS_FILE", str(models_file))
    assert main(["plan", "demo", "--vram", "6GiB"]) == 2
    assert capsys.readouterr().err == f"What is at {folder} isn't the kind of model that demo should be.\n"


@pytest.mark.parametrize("device", ["cuda", "cpu", "mps"])
@pytest.mark.parametrize("sizes", [SD_1_5, SDXL])
def test_every_rung_of_the_ladder_wants_less(sizes: ModelSizes, device: str) -> None:
    plan: MemoryPlan | None = MemoryPlan(device=device, dtype="bfloat16", batch_width=16)
    seen = []
    while plan is not None:
        seen.append(plan)
        plan = plan.lower()
    estimates = [plan.device_bytes(sizes, 1536**2) for plan in seen]
    assert estimates == sorted(estimates, reverse=True)
    assert estimates[-1] < estimates[0]
    assert len(set(seen)) == len(seen)
    if device != "cuda":  # there is nowhere else to move weights
        assert {plan.placement for plan in seen} == {Placement.RESIDENT}


def test_a_decoder_that_float16_does_not_suffice_for_is_planned_with_in_float32(tmp_path: Path) -> None:
    half, brain = (MemoryPlan(device="cuda", dtype=dtype, batch_width=2) for dtype in ("float16", "bfloat16"))
    for family, overflows in (("stable-diffusion-xl", True), ("flux", False)):
        sizes = read_sizes(save_tiny_family(family, tmp_path / family))
        assert sizes.overflows_float16 is overflows
        assert half.weights(sizes)["vae"] == brain.weights(sizes)["vae"] * (2 if overflows else 1)
        assert (half.working_bytes(sizes, 512**2)[1] > brain.working_bytes(sizes, 512**2)[1]) is overflows
        assert half.working_bytes(sizes, 512**2)[0] == brain.working_bytes(sizes, 512**2)[0]


def test_a_model_with_adapters_keeps_its_number_format() -> None:
    """peft casts an adapter to the dtype of the layer it changes, and most of its values are too small for float8."""
    assert plan_for(SDXL, 3.5, 1024).stores_float8
    plan: MemoryPlan | None = plan_for(SDXL, 3.5, 1024, has_adapters=True)
    seen = list[MemoryPlan]()
    while plan is not None:
        seen.append(plan)
        plan = plan.lower()
    assert not any(each.stores_float8 for each in seen)
    assert seen[-1].placement is Placement.GROUP_OFFLOAD


def test_sd_1_5_runs_in_4_gib_and_sdxl_in_6() -> None:
    context = 0.5  # GiB, for CUDA
    for sizes, gibibytes, side in ((SD_1_5, 4, 512), (SDXL, 6, 1024)):
        plan = plan_for(sizes, gibibytes - context, side)
        assert plan.device_bytes(sizes, side**2) <= (gibibytes - context) * GIBIBYTE
    assert plan_for(SD_1_5, 3.5, 512).placement is Placement.RESIDENT
    assert plan_for(SDXL, 5.5, 1024).placement is not Placement.RESIDENT


def test_what_has_room_gives_nothing_up() -> None:
    assert plan_for(SDXL, 78, 1024) == MemoryPlan(device="cuda", dtype="bfloat16", batch_width=16)


def test_what_never_fits_gets_the_last_rung() -> None:
    plan = plan_for(SDXL, 0.1, 1024)
    assert plan.lower() is None
    assert plan.host_bytes(SDXL) > 2 * GIBIBYTE


def test_the_plan_is_said_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "demo", "--vram", "6GiB"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Palimpsest Demo at 79 pixels on cuda with 6.0 GiB, bfloat16:")
    assert "everything stays on the device" in said
    assert main(["plan", "demo", "--vram", "6GiB", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["placement"], row["fits"], row["batch_width"]) == ("resident", True, 16)
    assert sum(row["weights"].values()) < row["estimate_bytes"] < row["memory_bytes"]


def test_what_does_not_fit_or_is_not_here_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "demo", "--vram", "100MiB"]) == 1
    assert "That is more than there is. Choose a smaller size or a smaller model." in capsys.readouterr().out
    assert main(["plan", "stable-diffusion-xl", "--vram", "6GiB"]) == 2
    assert "hasn't been downloaded yet" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["plan", "demo", "--vram", "much"])
    assert "much is not an amount of memory; write it like 6GiB" in capsys.readouterr().err
