"""Roles and overwrites decide, for the bot and for members, as Discord's documentation describes."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest

from playground.client import PlaygroundClient, PlaygroundError
from playground.clock import Clock, Snowflakes
from playground.models import Overwrite
from playground.permissions import ALL, Permission
from playground.world import World
from tests.playground.conftest import EVENT_SECONDS, Connect


@pytest.fixture
def world() -> World:
    clock = Clock()
    return World(clock, Snowflakes(clock), bot_name="Bot")


def may(world: World, name: str, permission: Permission) -> bool:
    channel = world.channel_named("general")
    return permission in world.permissions(channel, world.user_named(name).id)


def overwrite(world: World, target_id: int, *, allow: int = 0, deny: int = 0, is_member: bool = False) -> None:
    channel = world.channel_named("general")
    channel.overwrites[target_id] = Overwrite(id=target_id, is_member=is_member, allow=allow, deny=deny)


def test_roles_give_and_overwrites_take(world: World) -> None:
    everyone = world.guild.id
    moderator = next(role.id for role in world.guild.roles.values() if role.name == "Moderator")
    assert may(world, "Ada", Permission.SEND_MESSAGES)
    assert not may(world, "Ada", Permission.MANAGE_MESSAGES)
    assert may(world, "Grace", Permission.MANAGE_MESSAGES)
    overwrite(world, everyone, deny=Permission.SEND_MESSAGES)
    assert not may(world, "Ada", Permission.SEND_MESSAGES)
    assert not may(world, "Ada", Permission.ATTACH_FILES)  # without permission to write there is none to attach
    assert not may(world, "Grace", Permission.SEND_MESSAGES)
    overwrite(world, moderator, allow=Permission.SEND_MESSAGES)
    assert may(world, "Grace", Permission.SEND_MESSAGES)
    overwrite(world, world.user_named("Grace").id, deny=Permission.SEND_MESSAGES, is_member=True)
    assert not may(world, "Grace", Permission.SEND_MESSAGES)
    assert may(world, "Margaret", Permission.SEND_MESSAGES)  # the owner


def test_who_does_not_see_a_channel_may_nothing_there(world: World) -> None:
    overwrite(world, world.guild.id, deny=Permission.VIEW_CHANNEL)
    channel = world.channel_named("general")
    assert world.permissions(channel, world.user_named("Ada").id) == Permission(0)
    assert [user.name for user in world.viewers(channel)] == ["Margaret"]


def test_administrators_may_everything(world: World) -> None:
    world.guild.roles[world.guild.id].permissions |= Permission.ADMINISTRATOR
    overwrite(world, world.guild.id, deny=Permission.SEND_MESSAGES)
    channel = world.channel_named("general")
    assert world.permissions(channel, world.user_named("Ada").id) == ALL


def test_strangers_may_nothing(world: World) -> None:
    assert world.permissions(world.channel_named("general"), 1) == Permission(0)


Attempt = Callable[[discord.TextChannel], Awaitable[Any]]


async def send(channel: discord.TextChannel) -> None:
    await channel.send("x")


async def send_file(channel: discord.TextChannel) -> None:
    await channel.send(file=discord.File(io.BytesIO(b"data"), "x.bin"))


async def send_embed(channel: discord.TextChannel) -> None:
    await channel.send(embed=discord.Embed(title="x"))


async def fetch(channel: discord.TextChannel) -> None:
    await channel.fetch_message(1)


async def type_something(channel: discord.TextChannel) -> None:
    await channel.typing()


@pytest.mark.parametrize(
    ("denied", "attempt", "code"),
    [
        ("VIEW_CHANNEL", send, 50001),
        ("VIEW_CHANNEL", fetch, 50001),
        ("SEND_MESSAGES", send, 50013),
        ("SEND_MESSAGES", type_something, 50013),
        ("ATTACH_FILES", send_file, 50013),
        ("EMBED_LINKS", send_embed, 50013),
    ],
)
async def test_the_bot_is_refused(
    connect: Connect, playground: PlaygroundClient, denied: str, attempt: Attempt, code: int
) -> None:
    async with connect() as bot:
        channel = bot.text_channel("gallery")
        await playground.set_permissions("gallery", deny=[denied])
        try:
            with pytest.raises(discord.Forbidden) as refused:
                await attempt(channel)
            assert (refused.value.status, refused.value.code) == (403, code)
        finally:
            await playground.set_permissions("gallery")
        if attempt is not fetch:
            await attempt(channel)


async def test_interactions_say_what_the_bot_may(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: discord.app_commands.CommandTree[Any]) -> None:
        @tree.command(name="may", description="May")
        async def may_i(interaction: discord.Interaction) -> None:
            app, member = interaction.app_permissions, interaction.permissions
            await interaction.response.send_message(f"{app.attach_files} {member.manage_messages}", ephemeral=True)

    async with connect(build):
        await playground.set_permissions("gallery", deny=["ATTACH_FILES"])
        try:
            answers = [
                (await playground.command("may", member=member, channel=channel)).response
                for member, channel in (("Ada", "general"), ("Grace", "gallery"))
            ]
        finally:
            await playground.set_permissions("gallery")
        assert [answer.content for answer in answers if answer] == ["True False", "False True"]


async def test_only_with_the_permission_are_others_messages_deleted(
    connect: Connect, playground: PlaygroundClient
) -> None:
    said = await playground.say("Ada's", channel="gallery")
    async with connect() as bot:
        message = bot.text_channel("gallery").get_partial_message(int(said.id))
        with pytest.raises(discord.Forbidden) as refused:
            await message.delete()
        assert refused.value.code == 50013
        with pytest.raises(discord.Forbidden) as refused:
            await message.edit(content="mine")
        assert refused.value.code == 50005
        await playground.set_permissions("gallery", allow=["MANAGE_MESSAGES"])
        await message.delete()
        await playground.set_permissions("gallery")
    assert (await playground.message(said.id)).deleted


async def test_members_cannot_write_where_they_may_not(playground: PlaygroundClient) -> None:
    await playground.set_permissions("gallery", deny=["SEND_MESSAGES"], target="Linus")
    with pytest.raises(PlaygroundError, match="50013"):
        await playground.say("x", member="Linus", channel="gallery")
    await playground.set_permissions("gallery", target="Linus")
    with pytest.raises(PlaygroundError, match="no permission is called"):
        await playground.set_permissions("gallery", deny=["FLY"])


async def test_a_removed_channel_is_unknown(connect: Connect, playground: PlaygroundClient) -> None:
    await playground.add_channel("passing")
    async with connect() as bot:
        channel = bot.text_channel("passing")
        sent = await channel.send("here today")
        gone = bot.loop.create_task(bot.wait_for("guild_channel_delete", timeout=EVENT_SECONDS))
        await playground.remove_channel("passing")
        await gone
        with pytest.raises(discord.NotFound) as unknown:
            await channel.send("gone tomorrow")
        assert unknown.value.code == 10003
        with pytest.raises(discord.NotFound):
            await sent.edit(content="gone")
        assert (await playground.message(sent.id)).deleted
