"""The gateway drops, resumes, reconnects and invalidates sessions, and closes with Discord's codes."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from playground.client import GatewayAction, PlaygroundClient, PlaygroundServer
from tests.playground.conftest import EVENT_SECONDS, Connect

IDENTIFY = {"token": "", "intents": 0, "properties": {"os": "linux", "browser": "test", "device": "test"}}


@pytest.mark.parametrize("action", ["drop", "reconnect", "invalid_session_resumable"])
async def test_a_lost_connection_is_resumed_and_nothing_missed(
    connect: Connect, playground: PlaygroundClient, action: GatewayAction
) -> None:
    async with connect() as bot:
        before = await playground.stats()
        await playground.gateway(action)
        said = await playground.say("@Bot while you were away")
        await asyncio.wait_for(bot.resumed.wait(), EVENT_SECONDS)
        message = await asyncio.wait_for(bot.seen.get(), EVENT_SECONDS)
        assert message.id == int(said.id)
        after = await playground.stats()
        assert after["resumes"] == before["resumes"] + 1
        assert after["identifies"] == before["identifies"]
        assert bot.seen.empty()


async def test_an_invalidated_session_is_identified_anew(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        before = await playground.stats()
        bot.furnished.clear()
        await playground.gateway("invalid_session")
        await asyncio.wait_for(bot.furnished.wait(), EVENT_SECONDS)
        after = await playground.stats()
        assert after["identifies"] == before["identifies"] + 1
        assert after["resumes"] == before["resumes"]


@pytest.mark.parametrize(("code", "answer"), [(1000, 9), (4000, 0)])
async def test_only_a_goodbye_ends_the_session(server: PlaygroundServer, code: int, answer: int) -> None:
    url = f"{server.gateway_url}?v=10&encoding=json"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as ws:
            await ws.receive_json()
            await ws.send_json({"op": 2, "d": IDENTIFY | {"token": server.token}})
            ready = await ws.receive_json()
            await ws.close(code=code)
        async with session.ws_connect(url) as ws:
            await ws.receive_json()
            resume = {"token": server.token, "session_id": ready["d"]["session_id"], "seq": ready["s"]}
            await ws.send_json({"op": 6, "d": resume})
            assert (await ws.receive_json())["op"] == answer


@pytest.mark.parametrize(
    ("payloads", "code"),
    [
        ([{"op": 2, "d": IDENTIFY | {"token": "wrong"}}], 4004),
        ([{"op": 2, "d": IDENTIFY | {"token": None}}] * 2, 4005),
        ([{"op": 2, "d": IDENTIFY | {"token": None, "intents": 1 << 40}}], 4013),
        ([{"op": 2, "d": IDENTIFY | {"token": None, "intents": 1 << 15}}], 4014),
        ([{"op": 2, "d": IDENTIFY | {"token": None, "shard": [3, 2]}}], 4010),
        ([{"op": 8, "d": {}}], 4003),
        ([{"op": 99, "d": {}}], 4001),
        (["no json"], 4002),
        ([{"op": 1, "d": None}] * 121, 4008),
    ],
)
async def test_close_codes(server: PlaygroundServer, payloads: list[Any], code: int) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.gateway_url}?v=10&encoding=json") as ws:
        for payload in payloads:
            if isinstance(payload, str):
                await ws.send_str(payload)
                continue
            if isinstance(payload["d"], dict) and payload["d"].get("token", "") is None:
                payload = payload | {"d": payload["d"] | {"token": server.token}}
            await ws.send_json(payload)
        async with asyncio.timeout(EVENT_SECONDS):
            async for _ in ws:
                pass
        assert ws.close_code == code


async def test_an_unknown_session_cannot_be_resumed(server: PlaygroundServer, playground: PlaygroundClient) -> None:
    before = await playground.stats()
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.gateway_url}?v=10&encoding=json") as ws:
        await ws.receive_json()
        await ws.send_json({"op": 6, "d": {"token": server.token, "session_id": "gone", "seq": 3}})
        answer = await ws.receive_json()
        assert (answer["op"], answer["d"]) == (9, False)
    assert (await playground.stats())["refused_resumes"] == before["refused_resumes"] + 1


async def test_heartbeats_are_acknowledged(server: PlaygroundServer) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.gateway_url}?v=10&encoding=json") as ws:
        await ws.receive_json()
        await ws.send_json({"op": 1, "d": None})
        assert (await ws.receive_json())["op"] == 11
