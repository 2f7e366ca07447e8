"""An unmodified discord.py client logs in, with every kind of compression, and finds the server set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import discord
import pytest
from discord import app_commands

from playground.client import PlaygroundClient, PlaygroundServer
from tests.playground.conftest import EVENT_SECONDS, Connect, Rest

PRIVILEGED = discord.Intents(members=True, presences=True, message_content=True).value
REPOSITORY = Path(__file__).resolve().parents[2]

LOG_IN_OVER_ZLIB = """
import asyncio, sys
sys.modules["zstandard"] = None  # discord.py takes zlib when zstandard is missing
import discord, yarl
api, gateway, token = sys.argv[1:]
discord.http.Route.BASE = api
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
client = discord.Client(intents=discord.Intents.default())

@client.event
async def on_socket_event_type(event):
    if event != "GUILD_CREATE":
        return
    print(discord.utils._ActiveDecompressionContext.COMPRESSION_TYPE, client.guilds[0].name, flush=True)
    await client.close()

client.run(token, log_handler=None)
"""


async def test_the_server_is_furnished(connect: Connect) -> None:
    async with connect() as bot:
        guild = bot.guilds[0]
        assert [channel.name for channel in guild.text_channels] == ["general", "gallery", "after-dark"]
        assert bot.text_channel("after-dark").is_nsfw()
        assert not bot.text_channel("general").is_nsfw()
        assert guild.member_count == 5
        permissions = bot.text_channel("general").permissions_for(guild.me)
        assert permissions.send_messages
        assert permissions.attach_files
        assert not permissions.manage_messages
        assert guild.filesize_limit == 10 * 1024 * 1024
        moderator = next(role for role in guild.roles if role.name == "Moderator")
        assert moderator.permissions.manage_messages
        assert moderator.permissions.manage_guild
        assert guild.self_role is not None
        assert guild.self_role in guild.me.roles


async def test_members_can_be_fetched(connect: Connect, playground: PlaygroundClient) -> None:
    ids = {member["name"]: int(member["id"]) for member in (await playground.state())["members"]}
    async with connect() as bot:
        grace = await bot.guilds[0].fetch_member(ids["Grace"])
        assert grace.display_name == "Grace"
        assert grace.guild_permissions.manage_guild
        found = await bot.guilds[0].query_members(user_ids=[ids["Ada"]])
        assert [member.display_name for member in found] == ["Ada"]
        assert await grace.display_avatar.read()
        with pytest.raises(discord.NotFound) as unknown:
            await bot.fetch_user(1)
        assert unknown.value.code == 10013


async def test_commands_are_registered(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: app_commands.CommandTree[discord.Client]) -> None:
        @tree.command(name="paint", description="Paint something")
        @app_commands.default_permissions(manage_guild=True)
        @app_commands.describe(strength="How much to change")
        async def paint(
            _interaction: discord.Interaction, prompt: str, strength: app_commands.Range[float, 0.0, 1.0] = 0.5
        ) -> None: ...

        @tree.context_menu(name="Remix")
        async def remix(_interaction: discord.Interaction, _message: discord.Message) -> None: ...

    async with connect(build) as bot:
        await playground.wait_until_bot_ready()
        first = {command.name: command for command in await bot.tree.fetch_commands()}
        strength = first["paint"].options[1]
        assert isinstance(strength, app_commands.Argument)
        assert strength.max_value == 1.0
        assert first["paint"].default_member_permissions == discord.Permissions(manage_guild=True)
        assert first["Remix"].type is discord.AppCommandType.message
        again = {command.name: command for command in await bot.tree.sync()}
        assert again["paint"].id == first["paint"].id
        in_guild = await bot.tree.sync(guild=bot.guilds[0])
        assert in_guild == []


async def test_a_wrong_token_is_refused(connect: Connect) -> None:
    with pytest.raises(discord.LoginFailure):
        async with connect(token="wrong"):
            pass


async def test_privileged_intents_need_to_be_granted(connect: Connect, playground: PlaygroundClient) -> None:
    intents = discord.Intents.default()
    intents.members = True
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with connect(intents=intents):
            pass
    await playground.set_privileged_intents(PRIVILEGED)
    async with connect(intents=intents) as bot:
        assert {member.display_name for member in bot.guilds[0].members} >= {"Ada", "Linus", "Grace", "Margaret"}


async def test_discord_py_takes_zstd_here(connect: Connect) -> None:
    assert discord.utils._ActiveDecompressionContext.COMPRESSION_TYPE == "zstd-stream"
    async with connect() as bot:
        assert bot.guilds


def test_discord_py_takes_zlib_where_zstandard_is_missing(server: PlaygroundServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOG_IN_OVER_ZLIB, server.api_url, server.gateway_url, server.token],
        capture_output=True,
        text=True,
        timeout=EVENT_SECONDS,
        check=False,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert done.stdout.split(maxsplit=1) == ["zlib-stream", "The Playground\n"], done.stderr


async def test_a_client_without_compression_reads_plain_text(server: PlaygroundServer) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.gateway_url}?v=10&encoding=json") as ws:
        hello = await ws.receive_json()
        assert hello["op"] == 10
        assert hello["d"]["heartbeat_interval"] > 0


async def test_application_and_gateway_are_described(rest: Rest, server: PlaygroundServer) -> None:
    application = await rest("GET", "/oauth2/applications/@me")
    assert application.body["owner"]["username"] == "margaret"
    assert application.headers["Content-Type"] == "application/json"
    gateway = await rest("GET", "/gateway/bot")
    assert gateway.body["url"] == server.gateway_url
    missing = await rest("GET", "/no/such/thing")
    assert (missing.status, missing.body) == (404, {"message": "404: Not Found", "code": 0})
