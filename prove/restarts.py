"""A crowd that keeps requesting whatever happens to the bot, and what became of its requests in the end."""

import asyncio
import contextlib
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from playground.client import Interaction, Message, PlaygroundClient
from tests.end_to_end.bot_process import PHOTOGRAPHS, BotProcess

STUCK_SECONDS = 60.0
MEMBERS, CHANNELS = ("Ada", "Linus", "Grace", "Margaret"), ("general", "gallery")
ROOM = {
    "MAX_WAITING": "1000",
    "MAX_WAITING_PER_SERVER": "1000",
    "MAX_WAITING_PER_MEMBER": "1000",
    "STATUS_INTERVAL_SECONDS": "3",
}
_PICTURE = PHOTOGRAPHS / "drawing-cat.png"
_FINAL_PREFIXES = ("✅ Done", "⚠️", "🚫")


class Crowd:
    """Members who send requests all the time, whether or not the bot is running."""

    def __init__(self, client: PlaygroundClient, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self._asking: list[asyncio.Task[Interaction]] = []

    async def ask(self) -> None:
        """Send one command without waiting for its acknowledgement."""
        options = {"image": _PICTURE, "prompt": "a cat", "steps": self._chance.randint(1, 12), "strength": 1.0}
        asked = self._client.command(
            "img2img", options, member=self._chance.choice(MEMBERS), channel=self._chance.choice(CHANNELS)
        )
        self._asking.append(asyncio.create_task(asked))

    async def acknowledged(self) -> list[Message]:
        """Return the status messages of all requests that were acknowledged."""
        interactions = await asyncio.gather(*self._asking)
        return [asked.response for asked in interactions if asked.response is not None and not asked.ephemeral]

    @property
    def size(self) -> int:
        """How many requests were sent."""
        return len(self._asking)


async def wait_for_final_statuses(client: PlaygroundClient, acknowledged: Sequence[Message]) -> int:
    """Wait until every status message says how it ended; return how many never do."""
    stuck = 0
    for status in acknowledged:
        try:
            await client.wait_for_edit(
                status.id, lambda message: message.content.startswith(_FINAL_PREFIXES), STUCK_SECONDS
            )
        except TimeoutError:
            stuck += 1
    return stuck


async def judge(bot: BotProcess, acknowledged: Sequence[Message]) -> dict[str, Any]:
    """Wait for all jobs to end, stop the bot, and count what was lost, shown twice, stuck or damaged."""
    client = bot.client
    stuck = await wait_for_final_statuses(client, acknowledged)
    assert await bot.terminate() == 0, bot.log
    shown: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for channel in CHANNELS:
        for message in await client.messages(channel):
            if message.author_is_bot and message.attachments:
                shown[message.attachments[0].filename] += 1
                if message.reference is not None:
                    answered[message.reference.message_id] += 1
    with contextlib.closing(sqlite3.connect(bot.data_dir / "palimpsest.sqlite3")) as connection:
        rows = connection.execute("SELECT state, status_message_id, failure_kind FROM jobs").fetchall()
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    for state, message_id, kind in rows:
        if state != "delivered" and message_id is not None:
            print(f"a job ended {state} ({kind})", file=sys.stderr)
    delivered = {str(message_id) for state, message_id, _ in rows if state == "delivered"}
    settled = ("delivered", "failed", "cancelled", "expired")
    return {
        "lost": sum(answered[status.id] == 0 or status.id not in delivered for status in acknowledged),
        "shown_twice": sum(times > 1 for times in (shown + answered).values()),
        "stuck": stuck + sum(state not in settled for state, _, _ in rows),
        "is_sound": verdict == "ok",
    }
