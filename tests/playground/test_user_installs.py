"""An application installed to an account is offered everywhere, and sees nothing but the interactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord import app_commands

from playground.client import PlaygroundClient, PlaygroundError
from playground.limits import USER_INSTALL_FOLLOWUPS
from tests.playground.conftest import Connect, Rest

Tree = app_commands.CommandTree[Any]
BOTH = {"integration_types_config": {"0": {}, "1": {}}}
FOREIGN = ("elsewhere", "friends")


@pytest.fixture
async def abroad(playground: PlaygroundClient) -> AsyncIterator[PlaygroundClient]:
    """A stand-in with a channel of another server and a group chat, and an application that users may install."""
    known = [channel["name"] for channel in (await playground.state())["channels"]]
    for name in FOREIGN:
        if name not in known:
            await playground.add_foreign_channel(name, is_group=name == "friends")
    await playground.set_application(BOTH)
    yield playground
    await playground.set_user_install(installed=False)
    await playground.set_application({})


def build(tree: Tree) -> None:
    @tree.command(name="everywhere", description="Everywhere")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def everywhere(interaction: discord.Interaction) -> None:
        context = next(
            name for name in ("guild", "dm_channel", "private_channel") if getattr(interaction.context, name)
        )
        is_there = interaction.client.get_guild(interaction.guild_id or 0) is not None
        by = [interaction.is_guild_integration(), interaction.is_user_integration()]
        await interaction.response.send_message(f"{context} {is_there} {by}", ephemeral=True)

    @tree.command(name="inside", description="In servers")
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def inside(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("inside")


async def offered(playground: PlaygroundClient, channel: str) -> set[str]:
    commands = (await playground.get("commands", member="Ada", channel=channel))["commands"]
    return {command["name"] for command in commands}


async def test_what_is_offered_where_depends_on_the_installations(connect: Connect, abroad: PlaygroundClient) -> None:
    async with connect(build):
        for channel in FOREIGN:
            assert await offered(abroad, channel) == set()
        assert await offered(abroad, "general") == {"everywhere", "inside"}
        await abroad.set_user_install()
        for channel in FOREIGN:
            assert await offered(abroad, channel) == {"everywhere"}
            with pytest.raises(PlaygroundError, match="10063"):
                await abroad.command("inside", channel=channel)
            with pytest.raises(PlaygroundError, match="10063"):
                await abroad.command("everywhere", channel=channel, member="Linus")


async def test_an_account_cannot_install_what_is_for_servers_only(abroad: PlaygroundClient) -> None:
    await abroad.set_application({})
    with pytest.raises(PlaygroundError, match="50001"):
        await abroad.set_user_install()


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ("general", "guild True [True, True]"),
        ("elsewhere", "guild False [False, True]"),
        ("friends", "private_channel False [False, True]"),
        ("dm", "dm_channel False [False, True]"),
    ],
)
async def test_an_interaction_tells_where_it_comes_from_and_who_authorised_it(
    connect: Connect, abroad: PlaygroundClient, channel: str, says: str
) -> None:
    await abroad.set_user_install()
    async with connect(build):
        interaction = await abroad.command("everywhere", channel=channel)
        assert interaction.response is not None
        assert interaction.response.content == says


async def test_the_bot_cannot_use_a_channel_where_it_is_not_and_hears_nothing_of_it(
    connect: Connect, abroad: PlaygroundClient, rest: Rest
) -> None:
    channels = {channel["name"]: channel["id"] for channel in (await abroad.state())["channels"]}
    async with connect() as client:
        assert not [channel.name for channel in client.get_all_channels() if channel.name in FOREIGN]
        for name in FOREIGN:
            path = f"/channels/{channels[name]}"
            for method, where in (("GET", path), ("GET", f"{path}/messages"), ("POST", f"{path}/messages")):
                body = {"json": {"content": "here I am"}} if method == "POST" else {}
                answer = await rest(method, where, **body)
                assert (answer.status, answer.body["code"]) == (403, 50001)
            said = await abroad.say("between us", channel=name)
            await abroad.delete_message(said.id)
        await abroad.say("@Bot hello", channel="general")
        assert (await client.seen.get()).content.endswith("hello")


async def test_only_five_followups_can_follow(connect: Connect, abroad: PlaygroundClient) -> None:
    refused: list[int] = []

    def chatty(tree: Tree) -> None:
        @tree.command(name="chatty", description="Chatty")
        @app_commands.allowed_installs(guilds=True, users=True)
        async def chatty(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("0", ephemeral=True)
            try:
                for number in range(USER_INSTALL_FOLLOWUPS + 1):
                    await interaction.followup.send(f"{number + 1}", ephemeral=True)
            except discord.HTTPException as error:
                refused.append(error.code)
                await interaction.edit_original_response(content="refused")
            else:
                await interaction.edit_original_response(content="all sent")

    await abroad.set_user_install()
    async with connect(chatty):
        for channel, says in (("general", "all sent"), ("elsewhere", "refused")):
            interaction = await abroad.command("chatty", channel=channel)
            assert interaction.response is not None
            await abroad.wait_for_edit(interaction.response.id, lambda message, says=says: message.content == says)
    assert refused == [40094]


async def test_a_form_has_the_owner_of_the_command_that_opened_it(connect: Connect, abroad: PlaygroundClient) -> None:
    class Form(discord.ui.Modal, title="Form"):
        name: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Name", custom_id="name")

        async def on_submit(self, interaction: discord.Interaction, /) -> None:
            await interaction.response.send_message(f"{interaction.is_user_integration()}", ephemeral=True)

    def asking(tree: Tree) -> None:
        @tree.command(name="ask", description="Ask")
        @app_commands.allowed_installs(guilds=True, users=True)
        async def ask(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Form())

    await abroad.set_user_install()
    async with connect(asking):
        form = await abroad.command("ask", channel="elsewhere")
        sent = await abroad.submit_modal(form, {"name": "Ada"})
        assert sent.response is not None
        assert sent.response.content == "True"
