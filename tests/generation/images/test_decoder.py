"""The limits around the decode child: deadline, memory, death, wear, cancellation, and the end of its parent."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from generation.child import confinement
from generation.errors import ExecutorError, ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.metadata import read_embedded
from generation.images.refusals import Refusal
from tests import pictures
from tests.generation.images.test_metadata import PARAMETERS
from tests.pictures import encoded, opened, photo

SMALL = encoded(photo(), "PNG")
LONG = pictures.scan_bomb(8000, 8000, 50)  # valid, over 100 MB and seconds of work
WHERE_IT_WORKS = Path.cwd()
DYING_WORKER = "tests.generation.images.dying_worker"


async def refusal_of(decoder: ImageDecoder, data: bytes) -> str:
    with pytest.raises(ImageRefused) as refused:
        await decoder.decode(data)
    return refused.value.reason


def pid_of(decoder: ImageDecoder) -> int:
    assert decoder.pid is not None
    return decoder.pid


async def is_served_by_another_child(decoder: ImageDecoder, first: int) -> bool:
    assert (await decoder.decode(SMALL)).width == 96
    return decoder.pid != first and not psutil.pid_exists(first)


async def test_a_picture_that_takes_its_child_over_reaches_nothing_else(tmp_path: Path) -> None:
    if confinement.version() < 6:
        pytest.skip("this kernel does not confine all of that")
    secret = tmp_path / ".env"
    secret.write_text("DISCORD_TOKEN=x")
    async with ImageDecoder(worker="tests.generation.images.nosy_worker", deadline_seconds=120) as decoder:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            for file in (secret, WHERE_IT_WORKS / "pyproject.toml"):
                named = {"file": str(file), "port": server.sockets[0].getsockname()[1]}
                with pytest.raises(ImageRefused) as refused:
                    await decoder.decode(json.dumps(named).encode())
                assert set(refused.value.data.values()) == {"PermissionError"}, refused.value.data


@pytest.mark.parametrize(
    "passed_on",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0",
        encoded(photo(), "JPEG"),
        encoded(Image.new("RGB", (2049, 1)), "PNG"),
        encoded(Image.new("LA", (9, 9)), "PNG"),
        encoded(photo(), "PNG")[:20],
    ],
    ids=["EPS", "JPEG", "too large", "grey", "cut off"],
)
async def test_what_a_child_that_was_taken_over_passes_on_goes_no_further(passed_on: bytes) -> None:
    async with ImageDecoder(worker="tests.generation.images.nosy_worker", deadline_seconds=120) as decoder:
        assert await refusal_of(decoder, passed_on) == Refusal.CRASHED


async def test_a_picture_that_is_too_slow_is_given_up_and_the_next_is_served() -> None:
    async with ImageDecoder(deadline_seconds=0.1) as decoder:
        first = pid_of(decoder)
        assert await refusal_of(decoder, LONG) == Refusal.TOO_SLOW
        decoder._deadline_seconds = 120  # the next one tests the answer, not its speed
        assert await is_served_by_another_child(decoder, first)


@pytest.mark.parametrize(("kernel_wall", "memory_mebibytes"), [(True, 200), (False, 96)])
async def test_a_picture_that_needs_too_much_memory_is_refused_and_the_next_is_served(
    kernel_wall: bool, memory_mebibytes: int
) -> None:
    if kernel_wall and sys.platform != "linux":
        pytest.skip("only Linux limits the address space of a process")
    hungry = LONG  # long enough for the watchdog to notice too
    if kernel_wall:
        hungry = encoded(Image.new("RGBA", (5000, 4990)), "PNG", compress_level=1)  # 100 MB, and as much to shrink it
    memory_bytes = memory_mebibytes * 1024**2
    async with ImageDecoder(deadline_seconds=120, memory_bytes=memory_bytes, kernel_wall=kernel_wall) as decoder:
        first = pid_of(decoder)
        assert await refusal_of(decoder, hungry) == Refusal.TOO_MUCH_MEMORY
        assert await is_served_by_another_child(decoder, first)


async def test_the_hungriest_picture_that_is_taken_fits_into_the_memory_of_a_child() -> None:
    empty = Image.new("RGBA", (5000, 5000))  # the WebP codec holds three times the picture
    async with ImageDecoder(deadline_seconds=600) as decoder:
        first = pid_of(decoder)
        assert (await decoder.decode(encoded(empty, "WEBP", method=0, quality=1))).original_width == 5000
        assert decoder.pid == first


async def test_a_child_killed_from_outside_costs_its_picture_nothing() -> None:
    async with ImageDecoder() as decoder:
        first = pid_of(decoder)
        os.kill(first, signal.SIGSTOP)  # so that it cannot answer before it is killed
        decoding = asyncio.create_task(decoder.decode(SMALL))
        await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        assert (await decoding).width == 96
        assert decoder.pid != first


async def test_a_picture_that_kills_every_child_gets_a_sentence_and_the_next_is_served() -> None:
    async with ImageDecoder(worker=DYING_WORKER) as decoder:
        for name in ("SIGSEGV", "SIGKILL", "SIGABRT"):
            first = pid_of(decoder)
            assert await refusal_of(decoder, f"DIE {name}".encode()) == Refusal.CRASHED
            assert await is_served_by_another_child(decoder, first)
        once = f"DIE SIGSEGV {decoder.pid}\n".encode() + SMALL
        assert (await decoder.decode(once)).width == 96


async def test_a_worn_child_is_replaced() -> None:
    async with ImageDecoder(max_images_per_child=2) as decoder:
        first = pid_of(decoder)
        await decoder.decode(SMALL)
        assert decoder.pid == first
        await decoder.decode(SMALL)
        assert await is_served_by_another_child(decoder, first)


async def test_an_answer_that_nobody_waits_for_is_not_taken_for_the_next() -> None:
    other = encoded(photo(50, 20), "PNG")
    async with ImageDecoder() as decoder:
        for _ in range(3):
            given_up = asyncio.create_task(decoder.decode(SMALL))
            await asyncio.sleep(0)
            given_up.cancel()
            assert (await decoder.decode(other)).width == 50
            assert given_up.cancelled()


async def test_many_pictures_wait_their_turn_and_each_gets_its_own_answer() -> None:
    async with ImageDecoder() as decoder:
        sizes = [(10 + index, 20) for index in range(12)]
        files = [encoded(Image.new("RGB", size), "PNG") for size in sizes]
        clean = await asyncio.gather(*(decoder.decode(data) for data in files))
        assert [(image.width, image.height) for image in clean] == sizes


async def test_files_over_the_limit_are_refused_unseen() -> None:
    async with ImageDecoder(max_input_bytes=1000) as decoder:
        first = pid_of(decoder)
        assert await refusal_of(decoder, bytes(1001)) == Refusal.TOO_MANY_BYTES
        assert decoder.pid == first


async def test_closing_ends_children_and_whoever_waits() -> None:
    decoder = ImageDecoder()
    await decoder.start()
    pid = pid_of(decoder)
    os.kill(pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(decoder.decode(SMALL)) for _ in range(3)]
    await asyncio.sleep(0)
    await decoder.close()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [ExecutorError] * 3
    assert decoder.pid is None
    assert not psutil.pid_exists(pid)
    with pytest.raises(ExecutorError):
        await decoder.decode(SMALL)
    await decoder.close()


async def test_a_child_that_cannot_start_is_an_error_at_the_start() -> None:
    with pytest.raises(ExecutorError, match="ended at its start with status 1"):
        await ImageDecoder(worker="tests.generation.images.no_such_module").start()


async def test_the_child_ends_with_a_parent_that_is_killed() -> None:
    program = (
        "import asyncio, sys\n"
        "from generation.images.decoder import ImageDecoder\n"
        "async def main():\n"
        "    async with ImageDecoder() as decoder:\n"
        "        print(decoder.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [child], 60)
    assert alive == []


async def test_the_child_sees_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "CANARY-TOKEN")
    monkeypatch.setenv("HF_TOKEN", "CANARY-TOKEN")
    async with ImageDecoder() as decoder:
        pid = pid_of(decoder)
        assert "CANARY-TOKEN" not in psutil.Process(pid).environ().values()


async def test_a_result_is_encoded_smaller_with_its_parameters() -> None:
    result = encoded(photo(256, 256), "PNG", pnginfo=PARAMETERS.embedded().png_info())
    async with ImageDecoder() as decoder:
        data, media_type = await decoder.encode_smaller(result, max_bytes=5000)
        assert media_type == "image/jpeg"
        assert len(data) <= 5000
        assert opened(data).size == (256, 256)
        assert read_embedded(data).text == PARAMETERS.text()
        with pytest.raises(ImageRefused) as refused:
            await decoder.encode_smaller(result, max_bytes=500)
        assert refused.value.reason == Refusal.RESULT_TOO_LARGE
