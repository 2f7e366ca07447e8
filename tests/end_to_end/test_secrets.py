"""The bot's tokens, as canaries, through every kind of trouble: they never appear where anybody reads."""

import asyncio
import dataclasses
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.client import PlaygroundServer
from tests.end_to_end.bot_process import BotProcess, stand_in
from tests.end_to_end.test_monitoring import ask

HUB_CANARY = "hf_CANARYcanaryCANARYcanary7f3a91"
DISCORD_CANARY = "CANARYcanaryCANARYcanary.7f3a91.CANARYcanaryCANARYcanaryCANARY"


async def output_of(*arguments: str, **settings: str) -> str:
    """Run a program with these settings and return all its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        env={**os.environ, "HF_TOKEN": HUB_CANARY, "DISCORD_TOKEN": DISCORD_CANARY, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    written, _ = await process.communicate()
    return written.decode()


async def test_refusals_at_the_start_show_no_token(tmp_path: Path) -> None:
    async with PlaygroundServer() as server:
        there = {**server.bot_environment(), "DISCORD_TOKEN": DISCORD_CANARY, "DATA_DIR": str(tmp_path / "there")}
        nowhere = {**there, "DISCORD_API_URL": "http://127.0.0.1:9", "DATA_DIR": str(tmp_path / "nowhere")}
        refused, checked, unreachable, wrong, unknown = await asyncio.gather(
            output_of("bot", **there),
            output_of("bot", "check", "--json", **there),
            output_of("bot", **nowhere),
            output_of("bot", MAX_COUNT="many"),
            output_of("bot", MODEL="no-such-model"),
        )
    assert "does not accept DISCORD_TOKEN" in refused, refused
    assert "does not accept DISCORD_TOKEN" in checked, checked
    assert "cannot be reached" in unreachable, unreachable
    assert "MAX_COUNT" in wrong, wrong
    assert "no-such-model" in unknown, unknown
    for text in (refused, checked, unreachable, wrong, unknown):
        assert HUB_CANARY not in text
        assert DISCORD_CANARY not in text


@pytest.fixture
def core_dumps() -> Iterator[None]:
    """Enable core dumps for child processes, as many systems do."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("core_dumps")
async def test_trouble_of_every_kind_shows_no_token(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with (
        stand_in() as server,
        BotProcess(server, data_dir, {"HF_TOKEN": HUB_CANARY}) as bot,
    ):
        client = server.client
        canaries = (server.token, HUB_CANARY)
        await client.add_fault(r"/webhooks/", method="PATCH", status=400, times=3)
        await client.command("img2img", {"image": b"not a picture", "prompt": "a cat"})
        with bot.held():
            status = await bot.img2img(steps=4)
            await bot.status_with(status, "Painting")
            children = [bot.child(f"generation.{name}.worker") for name in ("images", "executors", "safety")]
            for process in (bot.process, *children):
                assert resource.prlimit(process.pid, resource.RLIMIT_CORE)[0] == 0
            for child in children[:2]:
                child.send_signal(signal.SIGSEGV)
        for action in ("drop", "invalid_session"):
            await client.gateway(action)
        await client.wait_until_bot_ready()
        await client.delete_message(status.id, member="Grace")  # which cancels the long job
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments
        await client.add_fault(r"/interactions/.*/callback", method="POST", status=400, times=1)
        await client.command("queue")
        seen = "".join([(await ask(bot, path))[1] for path in ("/metrics", "/healthz", "/readyz")])
        await bot.terminate()
        calls = "".join(repr(dataclasses.asdict(call)) for call in await client.calls())
        channels = [channel["id"] for channel in (await client.state())["channels"]]
        messages = "".join([repr(await client.messages(channel)) for channel in channels])
    for trouble in ("the generation process", "ended with status", "an interaction failed"):
        assert trouble in bot.log, "the trouble must have happened"
    kept = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    assert len(kept) > 10_000
    assert "palimpsest_errors_total 1.0" in seen
    assert "Something went wrong" in messages
    for canary in canaries:
        assert canary not in bot.log + calls + messages + seen
        assert canary.encode() not in kept
