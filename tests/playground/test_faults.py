"""Injected faults, as the unmodified discord.py experiences them."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
import pytest

from playground.client import PlaygroundClient, PlaygroundError
from tests.playground.conftest import EVENT_SECONDS, Connect, Rest

MESSAGES = r"^/channels/\d+/messages$"


async def test_429_is_retried_by_discord_py(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        before = (await playground.stats())["invalid_requests"]
        await playground.add_fault(MESSAGES, method="POST", status=429, retry_after_seconds=0.05, times=2)
        sent = await bot.text_channel("general").send("at last")
        statuses = [call.status for call in (await playground.calls("POST", MESSAGES))[-3:]]
        assert statuses == [429, 429, 200]
        assert (await playground.message(sent.id)).content == "at last"
        assert (await playground.stats())["invalid_requests"] == before + 2


async def test_a_global_429_says_so(rest: Rest, playground: PlaygroundClient, channel_id: str) -> None:
    await playground.add_fault(MESSAGES, status=429, retry_after_seconds=0.5, is_global=True)
    answer = await rest("POST", f"/channels/{channel_id}/messages", patient=False, json={"content": "x"})
    assert answer.status == 429
    assert answer.body["global"] is True
    assert answer.body["retry_after"] == 0.5
    assert answer.headers["Retry-After"] == "0.500"
    assert answer.headers["X-RateLimit-Global"] == "true"
    assert "Via" in answer.headers


async def test_a_share_of_the_requests_is_struck(rest: Rest, playground: PlaygroundClient, channel_id: str) -> None:
    fault_id = await playground.add_fault(MESSAGES, method="GET", status=502, times=None, share=0.5)
    path = f"/channels/{channel_id}/messages"
    statuses = [(await rest("GET", path)).status for _ in range(40)]
    await playground.clear_faults(fault_id)
    assert set(statuses) == {200, 502}


async def test_limits_count_down_and_refuse(rest: Rest, playground: PlaygroundClient, channel_id: str) -> None:
    await playground.set_rate_limit(r"^POST /channels/\{channel_id\}/messages$", limit=2, per_seconds=30)
    path = f"/channels/{channel_id}/messages"
    answers = [await rest("POST", path, patient=False, json={"content": str(number)}) for number in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert len({answer.headers["X-RateLimit-Bucket"] for answer in answers}) == 1
    assert 0 < answers[2].body["retry_after"] <= 30
    other = await rest("GET", path)
    assert other.status == 200


async def test_a_failed_request_is_sent_again(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        await playground.add_fault(MESSAGES, method="POST", status=502, times=1)
        sent = await bot.text_channel("general").send("after a bad gateway")
        assert (await playground.message(sent.id)).content == "after a bad gateway"


async def test_an_answer_that_is_lost_leaves_one_message(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        channel = bot.text_channel("general")
        await playground.add_fault(MESSAGES, method="POST", action="drop_after")
        with pytest.raises(aiohttp.ClientError):
            await channel.send("once", nonce="lost-answer")
        again = await channel.send("once", nonce="lost-answer")
        found = [message for message in await playground.messages() if message.nonce == "lost-answer"]
        assert [message.id for message in found] == [str(again.id)]


async def test_a_reset_carries_nothing_out(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        await playground.add_fault(MESSAGES, method="POST", action="reset")
        with pytest.raises(aiohttp.ClientError):
            await bot.text_channel("general").send("never", nonce="reset")
        assert not [message for message in await playground.messages() if message.nonce == "reset"]


async def test_a_hanging_request_goes_on_when_released(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        fault = await playground.add_fault(MESSAGES, method="POST", action="hang")
        sending = asyncio.create_task(bot.text_channel("general").send("patience"))
        await playground.wait_for_fault(fault)
        assert not sending.done()
        await playground.clear_faults(fault)
        sent = await asyncio.wait_for(sending, EVENT_SECONDS)
        assert (await playground.message(sent.id)).content == "patience"


async def test_faults_strike_the_cdn_too(playground: PlaygroundClient, picture: bytes) -> None:
    said = await playground.say(files=[picture])
    await playground.add_fault("^/attachments/", status=503)
    with pytest.raises(PlaygroundError, match="503"):
        await playground.download(said.attachments[0].url)
    assert await playground.download(said.attachments[0].url) == picture


async def test_server_errors_end_as_such(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        await playground.add_fault(MESSAGES, method="POST", status=503)
        with pytest.raises(discord.DiscordServerError):
            await bot.text_channel("general").send("unavailable")


@pytest.mark.parametrize("wrong", [{"path_pattern": "("}, {"action": "explode"}, {"status": 200}])
async def test_wrong_faults_are_refused(playground: PlaygroundClient, wrong: dict[str, object]) -> None:
    with pytest.raises(PlaygroundError, match="400"):
        await playground.post("add_fault", {"path_pattern": "x", "action": "status"} | wrong)
