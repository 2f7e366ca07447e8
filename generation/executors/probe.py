"""The device that the executor would use, found out by torch in a short-lived process."""

import asyncio
import json
import sys
from dataclasses import dataclass

from generation.errors import ExecutorError
from generation.models.catalog import REPOSITORY

_PROBE_SECONDS = 180.0  # importing torch from a slow disk for the first time takes minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedDevice:
    """The device and dtype that the executor would choose, and torch's version."""

    device: str
    dtype: str
    name: str
    memory_bytes: int
    torch: str


async def probe_device(device: str, dtype: str, max_vram: int | None = None) -> ProbedDevice:
    """Return what torch finds for these settings; raise ExecutorError with a sentence if it finds nothing.

    At most ``max_vram`` bytes of a card's memory are counted.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "generation.engine.probe",
        device,
        dtype,
        str(max_vram or 0),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            stdout, stderr = await process.communicate()
    except TimeoutError as error:
        raise ExecutorError(f"torch did not answer within {_PROBE_SECONDS:.0f} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ExecutorError(f"torch cannot be loaded ({last or f'status {process.returncode}'})")
    answer = json.loads(stdout)
    if "error" in answer:
        raise ExecutorError(answer["error"])
    return ProbedDevice(**answer)
