"""How quickly commands are acknowledged while a job runs, compared with the same bot at rest.

    python -m benchmarks acknowledgements

Both are measured alternately in one run against the stand-in, so that a noisy machine affects both alike. Discord
allows 3 seconds; the table also shows what fraction of that the slowest acknowledgement took.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playground.client import Message, PlaygroundClient, PlaygroundServer
from playground.demo import PHOTOGRAPHS, running_bot

ROUNDS = 4
COMMANDS_PER_ROUND = 25
DISCORD_LIMIT_SECONDS = 3.0
LONG_JOB = {"steps": 150, "strength": 1.0, "count": 4}


async def acknowledge_some(client: PlaygroundClient) -> list[float]:
    """Run quick commands one after another; return the seconds until each was acknowledged."""
    seconds: list[float] = []
    for _ in range(COMMANDS_PER_ROUND):
        interaction = await client.command("queue", {}, member="Linus")
        if interaction.acknowledged_after_seconds is None:
            raise RuntimeError("a command was not acknowledged within 3 s")
        seconds.append(interaction.acknowledged_after_seconds)
    return seconds


async def begin_long_job(client: PlaygroundClient) -> Message:
    """Start a job that outlasts a round, and wait until it is generating."""
    photograph = PHOTOGRAPHS / "cat.jpg"
    interaction = await client.command("img2img", {"image": photograph, "prompt": "a cat on a beach", **LONG_JOB})
    if interaction.response is None:
        raise RuntimeError("the job was not acknowledged within 3 s")
    return await client.wait_for_edit(interaction.response.id, lambda message: "▰" in message.content)


def main(values: Sequence[str]) -> int:
    """Print the figures as JSON and as one line; return the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args(values)
    return asyncio.run(measure())


async def measure() -> int:
    """Measure with a bot in the playground; see ``main``."""
    idle: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with PlaygroundServer() as server, running_bot(server, Path(folder)):
            client = server.client
            await client.wait_until_bot_ready(120)
            for _ in range(ROUNDS):
                idle += await acknowledge_some(client)
                status = await begin_long_job(client)
                busy += await acknowledge_some(client)
                await client.press(status.id, "Cancel")
                await client.wait_for_edit(status.id, lambda message: "Cancelled" in message.content)
    ratio = statistics.median(busy) / statistics.median(idle)
    share = max(busy) / DISCORD_LIMIT_SECONDS
    print(json.dumps({"commands": len(busy), "busy_to_idle_median": ratio, "slowest_share_of_limit": share}))
    print(
        f"while a job runs an acknowledgement takes {ratio:.2f}x as long as at rest (medians of {len(busy)});"
        f" the slowest took {share:.1%} of Discord's 3 s",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
