"""The first of the two commands, as a newcomer runs it: no token, one picture, then the end."""

import asyncio
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from generation.images.metadata import read_parameters

REPOSITORY = Path(__file__).parents[2]


async def test_make_run_shows_one_picture(tmp_path: Path) -> None:
    command = ["make", "--silent", "run"] if shutil.which("make") else [sys.executable, "run.py"]
    if (REPOSITORY / ".env").exists():  # whose token would connect to Discord itself
        command = [sys.executable, "-m", "playground"]
    environment = {**os.environ, "ONCE": "1", "DATA_DIR": str(tmp_path), "MONITORING_PORT": "0"}
    environment.pop("DISCORD_TOKEN", None)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = (stream.decode() for stream in await process.communicate())
    assert process.returncode == 0, errors
    printed = re.search(r"^seed (\d+) · [\d.]+ seconds · (.+)$", output, re.MULTILINE)
    assert printed is not None, output
    assert seed_of_a_real_picture(Path(printed[2])) == int(printed[1])
    assert os.listdir(tmp_path / "playground") == ["result.png"]  # the bot's data was deleted along with its channels


def seed_of_a_real_picture(path: Path) -> int:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert len(set(image.convert("L").resize((16, 16)).tobytes())) > 8
    parameters = read_parameters(path.read_bytes())
    assert parameters is not None
    return parameters["seed"]


async def test_a_bot_without_a_token_says_what_to_do(tmp_path: Path) -> None:
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    environment.pop("DISCORD_TOKEN", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", cwd=tmp_path, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode().count("\n") == 1
    assert "DISCORD_TOKEN is not set" in errors.decode()


@pytest.mark.parametrize(
    ("arguments", "variables", "status", "said"),
    [
        (["--help"], {}, 0, "PLAYGROUND_PORT"),
        (["--once"], {}, 2, "unrecognized arguments: --once"),
        ([], {"PLAYGROUND_PORT": "70000"}, 2, "PLAYGROUND_PORT must be a port number, not 70000."),
        ([], {"SLOTS": "0"}, 2, "SLOTS in the environment or in .env cannot be used"),
        ([], {"DATA_DIR": __file__}, 2, f"DATA_DIR, {__file__}, cannot be written"),
    ],
)
async def test_a_playground_that_cannot_be_says_why(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], status: int, said: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "playground", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "DATA_DIR": str(tmp_path), "COLUMNS": "200", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == status, output
    assert said in output
    assert "Traceback" not in output


async def playground_at(data_dir: Path, moment: str) -> asyncio.subprocess.Process:
    """Start the playground in a process group of its own and return it once it has printed ``moment``."""
    environment = {**os.environ, "DATA_DIR": str(data_dir), "MONITORING_PORT": "0"}
    environment.pop("DISCORD_TOKEN", None)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "playground"),
        cwd=REPOSITORY,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    while moment.encode() not in (line := await process.stdout.readline()):
        assert line, "it ended before that moment"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that could be handled")
async def test_a_stop_while_it_starts_leaves_nobody_behind(tmp_path: Path) -> None:
    process = await playground_at(tmp_path, "Starting the bot")
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert await process.wait() == 0
    assert children != []
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=120)
    assert alive == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process alone")
async def test_ctrl_c_while_it_imports_ends_the_bot_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "aiohttp.py").write_text("print('importing', flush=True)\ninput()\n")  # imported instead of the library
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert await process.stdout.readline() == b"importing\n"
    process.send_signal(signal.SIGINT)
    assert await process.stderr.read() == b""
    assert await process.wait() == 130


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups that could be signalled like this")
@pytest.mark.parametrize("moment", ["Starting the bot", "Sending photographs", "The channel is at"])
async def test_ctrl_c_ends_it_without_a_word_of_complaint(tmp_path: Path, moment: str) -> None:
    process = await playground_at(tmp_path, moment)
    # A terminal's Ctrl+C reaches all processes at once, the bot and the stand-in too.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = await process.communicate()
    assert process.returncode == 0
    complaints = ("Traceback", "Fatal", "Error", 'File "', " ERROR ", " WARNING ")
    # That the stand-in went away first, and a request is retried, is logged as information, not as an error.
    lines = [line for line in errors.decode().splitlines() if " INFO " not in line]
    assert [line for line in lines if any(word in line for word in complaints)] == []
