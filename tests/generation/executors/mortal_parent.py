"""A parent for test_life: starts an executor, lets its child do one thing, reports that, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from generation.events import Progress
from generation.executors.child import ChildExecutor
from tests.generation.conftest import SCRIPTED_ENGINE
from tests.generation.samples import request


async def main(folder: str, script: str) -> None:
    executor = ChildExecutor({"folder": folder, "slots": 1}, engine=SCRIPTED_ENGINE)
    async for event in executor.run("A", 1, request(script)):
        if isinstance(event, Progress) and event.step == 1:
            print(executor.process.pid, flush=True)


if __name__ == "__main__":
    asyncio.run(main(str(Path(sys.argv[1])), sys.argv[2]))
