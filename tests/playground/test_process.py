"""The stand-in is a process of its own that leaves nothing behind, and serves this machine only."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from playground.client import PlaygroundClient, PlaygroundError, PlaygroundServer
from playground.client.process import ServerEnded
from playground.server import build_parser
from tests.playground.conftest import EVENT_SECONDS

REPOSITORY = Path(__file__).resolve().parents[2]


async def start(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "playground.server", "--unjudged", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert process.stdout is not None
    return process, json.loads(await asyncio.wait_for(process.stdout.readline(), EVENT_SECONDS))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to handle")
async def test_it_ends_on_sigterm_even_while_a_page_listens() -> None:
    process, ready = await start()
    async with aiohttp.ClientSession() as session, session.get(ready["address"] + "/control/stream"):
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), EVENT_SECONDS) == 0


def test_an_interaction_may_be_acknowledged_for_3_seconds_as_with_discord() -> None:
    assert build_parser().parse_args([]).acknowledge_seconds == 3


async def test_it_ends_when_its_stdin_closes_and_has_nothing_to_say() -> None:
    process, _ = await start("--until-stdin-closes")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.stderr.read(), EVENT_SECONDS) == b""
    assert await asyncio.wait_for(process.wait(), EVENT_SECONDS) == 0


async def test_it_is_reached_by_this_machines_names_alone(server: PlaygroundServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(server.address + "/control/state", headers={"Host": "evil.example"}) as response:
            assert response.status == 421
        headers = {"Origin": "http://evil.example"}
        async with session.post(server.address + "/control/say", headers=headers, json={}) as response:
            assert response.status == 403


def test_the_environment_leads_a_bot_here(server: PlaygroundServer) -> None:
    environment = server.bot_environment()
    assert environment == {
        "DISCORD_TOKEN": server.token,
        "DISCORD_API_URL": f"{server.address}/api/v10",
        "DISCORD_GATEWAY_URL": f"{server.address.replace('http', 'ws')}/gateway",
        "ATTACHMENT_HOSTS": server.address.removeprefix("http://"),
    }


async def test_events_can_be_followed(server: PlaygroundServer, playground: PlaygroundClient) -> None:
    last = (await playground.state())["last_event"]
    url = f"{server.address}/control/stream?after={last}"
    async with aiohttp.ClientSession() as session, session.get(url) as stream:
        said = await playground.say("live")
        async with asyncio.timeout(EVENT_SECONDS):
            async for line in stream.content:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    assert (event["kind"], event["data"]["id"]) == ("message_create", said.id)
                    break
            else:
                pytest.fail("the stream ended without an event")
    waiting = asyncio.create_task(playground.wait_for_message(lambda message: message.content == "later"))
    later = await playground.say("later")
    assert (await waiting).id == later.id
    waiting = asyncio.create_task(playground.wait_for_edit(later.id, lambda message: message.deleted))
    await playground.delete_message(later.id)
    assert (await waiting).deleted
    with pytest.raises(TimeoutError):
        await playground.wait_for_message(lambda message: message.content == "never", timeout_seconds=0.01)


async def test_wrong_control_calls_say_what_is_wrong(playground: PlaygroundClient) -> None:
    with pytest.raises(PlaygroundError, match="missing argument: 'member'"):
        await playground.post("say", {"channel": "general"})
    with pytest.raises(PlaygroundError, match="only goes forward"):
        await playground.advance_clock(-1)
    with pytest.raises(PlaygroundError, match="10003"):
        await playground.say("x", channel="nowhere")
    with pytest.raises(PlaygroundError, match="10007"):
        await playground.say("x", member="Nobody")


async def test_a_port_that_is_taken_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    async with PlaygroundServer() as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(ServerEnded):
            await PlaygroundServer(port=port).start()
    said = capfd.readouterr().err
    assert f"Port {port} of this machine cannot be used" in said
    assert "Traceback" not in said
