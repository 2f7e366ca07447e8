"""Threads have a permission of their own, and are archived and locked; timeouts; the text chat of voice channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest

from playground.client import PlaygroundClient, PlaygroundError
from tests.playground.conftest import EVENT_SECONDS, Connect, ProbeClient


@pytest.fixture
async def thread(playground: PlaygroundClient) -> AsyncIterator[str]:
    await playground.add_thread("a thread", channel="general")
    yield "a thread"
    await playground.set_permissions("general")
    await playground.remove_channel("a thread")


def thread_of(bot: ProbeClient) -> discord.Thread:
    (thread,) = bot.guilds[0].threads
    return thread


async def test_a_thread_has_its_channels_overwrites_and_a_permission_of_its_own(
    connect: Connect, playground: PlaygroundClient, thread: str
) -> None:
    async with connect() as bot:
        channel, place = bot.text_channel("general"), thread_of(bot)
        assert (place.name, place.parent) == (thread, channel)
        await playground.set_permissions("general", deny=["SEND_MESSAGES"])
        await place.send("here")
        with pytest.raises(discord.Forbidden, match="50013"):
            await channel.send("not here")
        await playground.set_permissions("general", deny=["SEND_MESSAGES_IN_THREADS"])
        with pytest.raises(discord.Forbidden, match="50013"):
            await place.send("not here")
        await channel.send("here")
        await playground.set_permissions("general", deny=["SEND_MESSAGES_IN_THREADS"], target="@everyone")
        with pytest.raises(PlaygroundError, match="50013"):
            await playground.say("nor I", channel=thread)
        await playground.set_permissions("general", target="@everyone")


async def test_an_archived_thread_wakes_by_a_message_unless_it_is_locked(
    connect: Connect, playground: PlaygroundClient, thread: str
) -> None:
    async with connect() as bot:
        place = thread_of(bot)
        sent = await place.send("first")
        await playground.set_thread(thread, archived=True)
        with pytest.raises(discord.HTTPException, match="50083"):
            await sent.edit(content="second")
        await place.send("awake")
        await sent.edit(content="second")
        await playground.set_thread(thread, archived=False, locked=True)
        with pytest.raises(discord.HTTPException, match="160005"):
            await place.send("third")
        await playground.set_thread(thread, archived=True, locked=True)
        with pytest.raises(discord.HTTPException, match="50083"):
            await place.send("third")
        await playground.say("a moderator's word", channel=thread, member="Margaret")


async def test_who_is_timed_out_reads_and_does_nothing_else(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        channel = bot.text_channel("general")
        changed = asyncio.ensure_future(bot.wait_for("member_update", timeout=EVENT_SECONDS))
        await asyncio.sleep(0)
        sent = await channel.send("before")
        await playground.time_out(600)
        await changed
        assert channel.permissions_for(channel.guild.me).read_message_history
        assert not channel.permissions_for(channel.guild.me).send_messages
        with pytest.raises(discord.Forbidden, match="50013"):
            await channel.send("meanwhile")
        assert (await channel.fetch_message(sent.id)).content == "before"
        await playground.time_out(0)
        await channel.send("after")
        await playground.time_out(600, member="Ada")
        with pytest.raises(PlaygroundError, match="50013"):
            await playground.say("meanwhile")
        await playground.time_out(0, member="Ada")


async def test_the_text_of_a_voice_channel_is_for_those_who_may_join_it(
    connect: Connect, playground: PlaygroundClient
) -> None:
    await playground.add_channel("voices", voice=True)
    async with connect() as bot:
        (channel,) = bot.guilds[0].voice_channels
        sent = await channel.send("text")
        await playground.set_permissions("voices", deny=["CONNECT"])
        for refused in (channel.send("more"), channel.fetch_message(sent.id)):
            with pytest.raises(discord.Forbidden, match="50001"):
                await refused
    await playground.remove_channel("voices")


async def test_threads_are_listed_below_their_channels(playground: PlaygroundClient, thread: str) -> None:
    await playground.add_channel("later", age_restricted=True)
    await playground.add_thread("of later", channel="later")
    listed = [(each["mark"], each["name"], each["age_restricted"]) for each in (await playground.state())["channels"]]
    assert listed.index(("↳", thread, False)) == listed.index(("#", "general", False)) + 1
    assert listed.index(("↳", "of later", True)) == listed.index(("#", "later", True)) + 1
    await playground.remove_channel("later")
    names = [each["name"] for each in (await playground.state())["channels"]]
    assert "of later" not in names
