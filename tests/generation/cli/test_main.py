"""The command line as a separate process: files, lines, exit status."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from generation.cli.main import main
from generation.images.metadata import read_parameters
from generation.models.catalog import REPOSITORY
from tests.generation.samples import png
from tests.pictures import mean_difference
from tests.tiny_pipeline import save_tiny_pipeline

MODELS = """
[{name}]
title = "Tiny"
summary = "Random weights."
folder = "{folder}"
family = "stable-diffusion"
licence = "MIT"
multiple = 8
size = 64
max_size = 128
memory = 0.1
strength = 0.5
guidance_scale = 4.0
num_inference_steps = 6
"""

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-model")
    save_tiny_pipeline(folder / "tiny")
    path = folder / "models.toml"
    path.write_text(MODELS.format(name="tiny", folder=folder / "tiny") + MODELS.format(name="gone", folder="nowhere"))
    return path


@pytest.fixture
def environment(models_file: Path, tmp_path: Path) -> dict[str, str]:
    ours = {"MODEL": "tiny", "MODELS_FILE": str(models_file), "DATA_DIR": str(tmp_path / "data"), "DEVICE": "cpu"}
    return {**os.environ, **ours, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def generate(environment: dict[str, str], tmp_path: Path) -> RunCommand:
    """Run ``python -m generation`` in a folder that contains ``cat.png``."""
    (tmp_path / "cat.png").write_bytes(png(60, 40))

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "generation", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={**environment, **changes}, check=False
        )

    return run


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


def test_pictures_are_made_and_made_again(generate: RunCommand, tmp_path: Path) -> None:
    done = generate("img2img", "cat.png", "-p", "a dog", "--seed", "5", "--size", "96", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = lines(done)
    assert line["file"] == "cat-img2img.png"
    assert (line["seed"], line["model"], line["width"], line["height"]) == (5, "tiny", 672, 432)
    assert (line["strength"], line["guidance_scale"], line["num_inference_steps"]) == (0.5, 4.0, 6)
    assert (line["denoising_steps"], line["native_width"], line["native_height"]) == (3, 112, 72)
    assert (line["max_pixels"], line["seconds"] > 0) == (96 * 96, True)
    assert "3/3" in done.stderr  # the progress bar
    assert (line["sampler"], line["scheduler"], line["strength_schedule"]) == ("own", "DDIMScheduler", "noise")
    picture = tmp_path / "cat-img2img.png"
    parameters = read_parameters(picture.read_bytes())
    assert parameters is not None
    assert parameters["prompt"] == "a dog"

    before = picture.read_bytes()
    chosen = ["--sampler", "dpm++2m-karras", "--steps", "8"]
    done = generate("img2img", "cat.png", "-p", "a cow", *chosen, "--json", STRENGTH_SCHEDULE="index")
    assert done.returncode == 0, done.stderr
    (line,) = lines(done)
    assert line["file"] == "cat-img2img-2.png"
    assert picture.read_bytes() == before  # a default name overwrites nothing
    assert (line["sampler"], line["scheduler"]) == ("dpm++2m-karras", "DPMSolverMultistepScheduler")
    assert (line["strength_schedule"], line["denoising_steps"]) == ("index", 4)

    (tmp_path / "out-1.png").mkdir()  # so that the first cannot be written, which must not affect the others
    wanted = ["-p", "a cow", "-p", "a dog", "--seed", "5", "--count", "2", "--size", "96"]
    done = generate("img2img", "cat.png", *wanted, "-o", "out.jpg")  # the suffix follows the file's type
    assert done.returncode == 1
    assert "The file out-1.png cannot be written (" in done.stderr
    assert list(tmp_path.glob("*.part")) == []
    assert "Traceback" not in done.stderr
    assert [line.split("  ")[:3] for line in done.stdout.splitlines()] == [
        ["out-2.png", "seed 6", "672x432"],
        ["out-3.png", "seed 5", "672x432"],
        ["out-4.png", "seed 6", "672x432"],
    ]
    assert pixels(tmp_path / "out-3.png") == pixels(picture)  # another process, the same request
    assert len({pixels(tmp_path / f"out-{number}.png") for number in range(2, 5)}) == 3


def test_a_ladder_of_strengths_is_painted_with_one_seed(
    generate: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = generate("img2img", "cat.png", "-p", "a dog", "-p", "a cow", "--strength", "ladder", "--seed", "5")
    assert done.returncode == 0, done.stderr
    told = [["seed 5", f"strength {strength}"] for strength in (0.3, 0.45, 0.6, 0.75)]
    assert [line.split("  ")[1:3] for line in done.stdout.splitlines()] == [*told, *told]
    record = read_parameters((tmp_path / "cat-img2img-7.png").read_bytes())
    assert record is not None
    assert (record["seed"], record["strength"], record["prompt"]) == (5, 0.6, "a cow")
    done = generate("img2img", "cat.png", "-p", "a dog", "--strength", "ladder", "--count", "2", "--json")
    assert [line["strength"] for line in lines(done)] == [0.3, 0.75]
    with pytest.raises(SystemExit):
        main(["img2img", "cat.png", "-p", "a dog", "--strength", "stairs"])
    assert "stairs is not a strength; write a number, or ladder" in capsys.readouterr().err


def test_transparent_parts_alone_are_repainted(generate: RunCommand, tmp_path: Path) -> None:
    with Image.open(tmp_path / "cat.png") as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size).point([0] * 128 + [255] * 128))
        image.save(tmp_path / "half.webp", lossless=True)
    arguments = ("half.webp", "-p", "a dog", "--repaint", "transparent", "--seed", "5")
    done = generate("img2img", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = lines(done)
    assert (record["repaint"], record["strength"]) == ("transparent", 1.0)
    assert [line["strength"] for line in lines(generate("img2img", *arguments, "--strength", "0.7", "--json"))] == [0.7]


def test_what_a_mask_marks_is_repainted(
    generate: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(tmp_path / "cat.png") as image:
        Image.linear_gradient("L").resize(image.size).point([0] * 128 + [255] * 128).save(tmp_path / "mask.png")
    done = generate("img2img", "cat.png", "-p", "a dog", "--mask", "mask.png", "--seed", "5", "--json")
    assert done.returncode == 0, done.stderr
    (record,) = lines(done)
    assert (record["repaint"], record["strength"]) == ("transparent", 1.0)
    with Image.open(tmp_path / "cat.png") as before, Image.open(tmp_path / record["file"]) as after:
        kept, repainted = (0, 0, after.width, after.height // 3), (0, after.height * 2 // 3, after.width, after.height)
        expected = before.convert("RGB").resize(after.size, Image.Resampling.LANCZOS)
        assert mean_difference(after.crop(kept), expected.crop(kept)) < 4  # trimmed a little
        assert mean_difference(after.crop(repainted), expected.crop(repainted)) > 20
    with pytest.raises(SystemExit):
        main(["img2img", "cat.png", "-p", "a dog", "--mask", "mask.png", "--repaint", "all"])
    assert "--repaint: not allowed with argument --mask" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cat.png", "-p", "x", "--mask", "nothing.png"], "There is no file nothing.png"),
        (["cat.png", "-p", "x", "--mask", "notes.txt"], "Your mask can't be used. This is a text file"),
        (["cat.png", "-p", "x", "--repaint", "transparent"], "Your picture has no transparent parts to repaint."),
        (["cat.png", "-p", "x", "--strength", "ladder", "--count", "1"], "A ladder needs at least two pictures"),
        (["cat.png", "-p", "x", "--sampler", "magic"], "The sampler must be one of own, ddim"),
        (["nothing.png", "-p", "x"], "There is no file nothing.png"),
        (["notes.txt", "-p", "x"], "This is a text file"),
        (["cat.png", "-p", "  "], "The prompt is empty"),
        (["cat.png", "-p", "x" * 1501], "The prompt has 1,501 characters"),
        (["cat.png", "-p", "x", "--strength", "1.5"], "The strength must be from"),
        (["cat.png", "-p", "x", "--strength", "0"], "The strength must be from"),
        (["cat.png", "-p", "x", "--steps", "0"], "The number of steps must be from"),
        (["cat.png", "-p", "x", "--size", "512"], "The size must be from 64 to 128"),
        (["cat.png", "-p", "x", "--seed", "-1"], "The seed must be from"),
        (["cat.png", "-p", "x", "--model", "nobody"], "no model called nobody"),
        (["cat.png", "-p", "x", "-o", "no/such/folder/out.png"], "There is no folder"),
        (["cat.png", "-p", "x", "-o", "cat.jpg"], "is the input itself"),
        (["cat-2.png", "-p", "x", "-p", "y", "-o", "cat"], "is the input itself"),
        (["cat.png", "-p", "x", "--count", "99"], "The number of pictures must be from 1 to 10"),
    ],
)
def test_bad_input_is_refused_with_one_sentence(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    """Run in this process, because starting one takes long; the child processes are real all the same."""
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "MODELS_FILE", "DATA_DIR", "DEVICE", "PYTHONPATH"):
        monkeypatch.setenv(name, environment[name])
    for name in ("cat.png", "cat-2.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "notes.txt").write_text("These are not pixels.\n")
    before = (tmp_path / "cat.png").read_bytes()
    assert main(["img2img", *arguments]) == 2
    told = capfd.readouterr()
    assert sentence in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert told.out == ""
    assert (tmp_path / "cat.png").read_bytes() == before


def test_a_model_that_is_not_here_is_a_failure_with_a_sentence(generate: RunCommand) -> None:
    done = generate("img2img", "cat.png", "-p", "a dog", "--model", "gone")
    assert done.returncode == 1
    assert "The model gone isn't here: there is no folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_that_is_not_here_is_a_failure_with_a_sentence(generate: RunCommand) -> None:
    done = generate("img2img", "cat.png", "-p", "a dog", DEVICE="mps" if sys.platform != "darwin" else "cuda")
    assert done.returncode == 1
    assert "torch finds no such device on this machine" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_refused(generate: RunCommand) -> None:
    done = generate("models", DTYPE="float8")
    assert done.returncode == 2
    assert done.stderr.startswith("DTYPE in the environment or in .env cannot be used")


@pytest.fixture
def long_run(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that has begun to generate and would go on for very long."""
    (tmp_path / "cat.png").write_bytes(png(60, 40))
    arguments = ["img2img", "cat.png", "-p", "a dog", "--steps", "150", "--strength", "1", "--count", "10"]
    command = [sys.executable, "-m", "generation", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def test_an_interrupt_ends_it_cleanly(long_run: subprocess.Popen[str], tmp_path: Path) -> None:
    assert long_run.stderr is not None
    told = io.StringIO()
    while "painting" not in told.getvalue():
        told.write(long_run.stderr.read(1))
    long_run.send_signal(signal.SIGINT)
    rest = long_run.stderr.read()
    assert long_run.wait() == 130
    assert rest.strip().endswith("Interrupted.")
    assert "Traceback" not in rest
    assert [path.name for path in tmp_path.glob("*.png")] == ["cat.png"]


def test_check_image_tells_of_every_file(generate: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are not pixels.\n")
    done = generate("check-image", "cat.png", "notes.txt", "nothing.png")
    good, text, missing = lines(done)
    assert (good["ok"], good["width"], good["height"]) == (True, 60, 40)
    assert (text["ok"], text["file"]) == (False, "notes.txt")
    assert missing["reason"].startswith("There is no file")
    assert done.returncode == 2
    assert generate("check-image", "cat.png").returncode == 0


def test_models_lists_the_catalog(generate: RunCommand) -> None:
    done = generate("models", "--json")
    assert done.returncode == 0
    assert {line["name"]: (line["here"], line["selected"]) for line in lines(done)} == {
        "tiny": (True, True),
        "gone": (False, False),
    }
    tiny, gone = lines(done)
    assert tiny["fits"]
    assert "everything stays on the device" in tiny["plan"]  # read from its files
    assert gone["plan"] is None
    words = generate("models").stdout
    assert "* tiny" in words
    assert words.count("one call of the denoiser takes up to") == 1
    assert "fits this machine" in words
    assert f"missing (there is no model in {gone['source']});" in words
    plan = generate("plan", "gone")
    assert (plan.returncode, plan.stderr.startswith("The model gone isn't here: there is no folder")) == (2, True)
    plan = generate("plan", "tiny", "--size", "0")
    assert (plan.returncode, plan.stderr) == (2, "The size must be from 64 to 128.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe breaks otherwise on Windows")
def test_a_reader_who_has_had_enough_is_no_error(environment: dict[str, str], tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "generation", "models"]
    done = subprocess.run(
        command, stdout=write_end, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")
