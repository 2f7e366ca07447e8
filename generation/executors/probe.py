"""Ask torch, in a short-lived process, what the executor would compute with."""

import asyncio
import json
import sys
from dataclasses import dataclass

from generation.errors import ExecutorError
from generation.models.catalog import REPOSITORY

_PROBE_SECONDS = 180.0  # the first import of torch from a slow disk takes minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedDevice:
    """The device and number format that the executor would choose, and the version of torch."""

    device: str
    dtype: str
    name: str
    memory_bytes: int
    torch: str


async def probe_device(device: str, dtype: str, max_vram: int | None = None) -> ProbedDevice:
    """Return what torch finds for these settings; raise ExecutorError with a sentence if it finds nothing.

    Of a card's memory no more than ``max_vram`` bytes count.
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
