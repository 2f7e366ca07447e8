"""Ten minutes of trouble on Discord's side: nothing is lost, and connections are resumed.

    python -m prove.trouble

Of all requests, 5 % are answered with 429, 2 % with 502, and 1 % get a broken connection (half of them after being
carried out); the gateway drops every 30 s. The bot uses its real executor and the demo model. Five rounds of two
minutes, each with a fresh bot; finished ones are not repeated.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playground.client.records import GatewayAction
from prove import KEPT
from prove.page import say_broken, write_line
from prove.place import Place, open_place
from prove.rounds import Rounds
from tests.end_to_end.test_monitoring import figures

ROUNDS, ROUND_SECONDS, DROP_SECONDS = 5, 120.0, 30.0
AT_A_TIME, SETTLE_SECONDS = 3, 300.0
DROPS: Sequence[GatewayAction] = ("drop", "reconnect", "invalid_session_resumable", "drop")


async def add_trouble(place: Place) -> None:
    """Make the stand-in fail at random, until cleared."""
    everything = r"^/"
    await place.client.add_fault(everything, status=429, retry_after_seconds=0.5, times=None, share=0.05)
    await place.client.add_fault(everything, status=502, times=None, share=0.02)
    await place.client.add_fault(everything, action="reset", times=None, share=0.005)
    await place.client.add_fault(everything, action="drop_after", times=None, share=0.005)


async def one_round(
    data_dir: Path,
    *,
    seconds: float,
    drop_seconds: float,
    drops: Sequence[GatewayAction],
    engine: str | None = None,
) -> dict[str, Any]:
    """Let members request pictures through the trouble; return the account; None as ``engine`` means the real one."""
    async with open_place(data_dir, members=6, channels=6, engine=engine) as place:
        before = await place.client.stats()
        await add_trouble(place)
        ended = asyncio.Event()

        async def keep_asking(first: int) -> None:
            number = first
            while not ended.is_set():
                answered = await place.ask_in_turn(number, steps=2)
                if answered.response is not None:
                    await place.settled(SETTLE_SECONDS, answered.response.id)
                number += AT_A_TIME

        async def drop_gateway() -> None:
            for action in drops:
                await asyncio.sleep(drop_seconds)
                connected = await place.client.stats()
                await place.client.gateway(action)
                await place.client.wait_for_reconnection(connected)

        asking = [asyncio.create_task(keep_asking(number)) for number in range(AT_A_TIME)]
        dropping = asyncio.create_task(drop_gateway())
        await asyncio.sleep(seconds)
        ended.set()
        await dropping
        await asyncio.gather(*asking)
        await place.client.clear_faults()
        await place.settled(SETTLE_SECONDS)
        after = await place.client.stats()
        counted = (await figures(place.bot))["palimpsest_discord_invalid_requests_recent"]
        return place.account.counts() | {
            "requests": after["calls"] - before["calls"],
            "invalid": after["invalid_requests"],
            "invalid as the bot counts": int(counted),
            "drops": len(drops),
            "resumes": after["resumes"] - before["resumes"],
            "new identifies": after["identifies"] - before["identifies"],
            "rows": dict(place.rows()),
        }


def broken_promises(rounds: Sequence[dict[str, Any]]) -> list[str]:
    """Return the promises that were not kept."""
    totals = {name: sum(each[name] for each in rounds) for name in rounds[0] if name != "rows"}
    promises = {
        "something was painted": totals["delivered"] > 0,
        "nothing is lost": totals["lost"] == 0,
        "nothing is shown twice": totals["shown twice"] == 0,
        "every status message says its last word": totals["status left behind"] == 0,
        "nobody is refused": totals["refused"] == 0,
        "every row is at its end": all(
            set(each["rows"]) <= {"delivered", "expired"} and each["rows"].get("expired", 0) <= each["unanswered"]
            for each in rounds
        ),
        "connections are taken up again": totals["resumes"] >= totals["drops"] and totals["new identifies"] == 0,
        "the bot counts what Discord counts": totals["invalid"] == totals["invalid as the bot counts"],
    }
    return [promise for promise, kept in promises.items() if not kept]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof; return 0 if every promise is kept."""
    argparse.ArgumentParser(prog="python -m prove.trouble").parse_args(arguments)
    return asyncio.run(prove())


async def prove() -> int:
    """Run the missing rounds and write the line; return 0 if every promise is kept."""
    rounds = Rounds("trouble")
    while len(rounds) < ROUNDS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = await one_round(Path(folder), seconds=ROUND_SECONDS, drop_seconds=DROP_SECONDS, drops=DROPS)
        print(outcome, flush=True)
        rounds.add(**outcome)
    done = rounds.all
    if broken := broken_promises(done):
        return say_broken(broken)
    totals = {name: sum(each[name] for each in done) for name in done[0] if name != "rows"}
    write_line(
        "In ten minutes of trouble (5 % 429, 2 % 502, 1 % resets, a gateway drop every 30 s) nothing is lost",
        f"{totals['promised']:,} requests accepted, {totals['lost']} lost, {totals['shown twice']} shown twice,"
        f" {totals['unanswered']} not acknowledged in time; {totals['requests']:,} HTTP requests,"
        f" {totals['drops']} drops, {totals['resumes']} resumes, {totals['new identifies']} new identifies",
        "python -m prove.trouble",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
