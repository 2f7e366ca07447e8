"""Slash commands, buttons, modals, select menus and autocomplete, and the rules of time and number for responses."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import discord
import pytest
from discord import app_commands, ui

from playground.client import PlaygroundClient, PlaygroundError
from tests.playground.conftest import ACKNOWLEDGE_SECONDS, EVENT_SECONDS, Connect

Tree = app_commands.CommandTree[Any]


async def test_options_and_attachments_arrive(connect: Connect, playground: PlaygroundClient, picture: bytes) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="paint", description="Paint")
        async def paint(
            interaction: discord.Interaction,
            image: discord.Attachment,
            prompt: str,
            strength: app_commands.Range[float, 0.0, 1.0] = 0.5,
            friend: discord.Member | None = None,
        ) -> None:
            data = await image.read()
            assert (image.width, image.height, image.content_type) == (40, 30, "image/png")
            assert image.ephemeral
            name = friend.display_name if friend else "nobody"
            await interaction.response.send_message(f"{prompt} {strength} {data == picture} {name} {image.filename}")

    async with connect(build):
        options = {"image": picture, "prompt": "a boat", "strength": 0.25, "friend": "Linus"}
        interaction = await playground.command("paint", options, filename="in put.png")
        assert interaction.response is not None
        assert interaction.response.content == "a boat 0.25 True Linus in_put.png"
        assert interaction.response_type == "message"
        assert interaction.acknowledged_after_seconds is not None
        (callback,) = await playground.calls("POST", f"/interactions/{interaction.id}/.*/callback$")
        assert callback.seconds_since_interaction is not None
        assert 0 < callback.seconds_since_interaction <= interaction.acknowledged_after_seconds


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "prompt"),
        ({"prompt": "x", "strength": 1.5}, "strength"),
        ({"prompt": "x" * 31}, "prompt"),
        ({"prompt": "x", "colour": "red"}, "colour"),
        ({"prompt": "x", "style": "no such"}, "style"),
        ({"prompt": "x", "strength": "much"}, "strength"),
    ],
)
async def test_wrong_options_are_refused_as_by_discords_client(
    connect: Connect, playground: PlaygroundClient, options: dict[str, Any], named: str
) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="paint", description="Paint")
        @app_commands.choices(style=[app_commands.Choice(name="Oil", value="oil")])
        async def paint(
            _interaction: discord.Interaction,
            prompt: app_commands.Range[str, 1, 30],
            strength: app_commands.Range[float, 0.0, 1.0] = 0.5,
            style: str = "oil",
        ) -> None: ...

    async with connect(build):
        with pytest.raises(PlaygroundError) as refused:
            await playground.command("paint", options)
        assert refused.value.code == 50035
        assert named in (refused.value.errors or {})["options"]


async def test_commands_are_offered_only_where_and_to_whom_they_are(
    connect: Connect, playground: PlaygroundClient
) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="rule", description="Moderators' alone")
        @app_commands.default_permissions(manage_guild=True)
        async def rule(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("ruled", ephemeral=True)

        @tree.command(name="adult", description="Adults' alone", nsfw=True)
        @app_commands.guild_only()
        async def adult(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("grown up")

    async with connect(build):
        for member, channel, offered in (
            ("Ada", "general", set()),
            ("Ada", "after-dark", {"adult"}),
            ("Grace", "after-dark", {"adult", "rule"}),
            ("Ada", "dm", {"rule"}),
        ):
            commands = (await playground.get("commands", member=member, channel=channel))["commands"]
            assert {command["name"] for command in commands} == offered
        with pytest.raises(PlaygroundError, match="50013"):
            await playground.command("rule", member="Ada")
        assert (await playground.command("rule", member="Grace")).ephemeral
        assert (await playground.command("rule", member="Margaret")).ephemeral
        with pytest.raises(PlaygroundError, match="10063"):
            await playground.command("adult", channel="general")
        assert (await playground.command("adult", channel="after-dark")).response is not None
        with pytest.raises(PlaygroundError, match="10063"):
            await playground.command("adult", channel="dm")
        with pytest.raises(PlaygroundError, match="10063"):
            await playground.command("no such command")


async def test_defer_then_edit_then_followup(connect: Connect, playground: PlaygroundClient, picture: bytes) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="work", description="Work")
        async def work(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            edited = await interaction.edit_original_response(
                content="half", attachments=[discord.File(io.BytesIO(picture), "half.png")]
            )
            assert edited.attachments[0].filename == "half.png"
            extra = await interaction.followup.send("more", wait=True)
            await extra.edit(content="even more")
            gone = await interaction.followup.send("gone", wait=True)
            await gone.delete()
            assert (await interaction.original_response()).content == "half"
            await interaction.edit_original_response(content="whole")

    async with connect(build):
        interaction = await playground.command("work")
        assert interaction.response_type == "deferred_message"
        assert interaction.response is not None
        done = await playground.wait_for_edit(interaction.response.id, lambda m: m.content == "whole")
        assert not done.loading
        assert [attachment.filename for attachment in done.attachments] == ["half.png"]
        interaction = await playground.interaction(interaction.id)
        assert [message.content for message in interaction.followups] == ["even more", "gone"]
        assert [message.deleted for message in interaction.followups] == [False, True]


async def test_the_first_followup_edits_the_loading_message(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="work", description="Work")
        async def work(interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True)
            await interaction.followup.send("done", wait=True, ephemeral=False)

    async with connect(build):
        interaction = await playground.command("work")
        assert interaction.response is not None
        done = await playground.wait_for_edit(interaction.response.id, lambda m: m.content == "done")
        assert done.ephemeral
        assert done.visible_to == "Ada"
        assert done.id not in [message.id for message in await playground.messages(member="Linus")]
        assert done.id in [message.id for message in await playground.messages(member="Ada")]
        assert not (await playground.interaction(interaction.id)).followups


async def test_an_answer_that_is_too_late_is_unknown(connect: Connect, playground: PlaygroundClient) -> None:
    go_on = asyncio.Event()

    def build(tree: Tree) -> None:
        @tree.command(name="slow", description="Slow")
        async def slow(interaction: discord.Interaction) -> None:
            await go_on.wait()
            await interaction.response.send_message("too late")

    async with connect(build) as bot:
        interaction = await playground.command("slow", wait=False)
        assert not interaction.failed
        await playground.advance_clock(ACKNOWLEDGE_SECONDS + 0.5)
        await playground.wait_for_interaction(interaction.id, lambda i: i.failed)
        go_on.set()
        failure = await asyncio.wait_for(bot.failures.get(), EVENT_SECONDS)
        assert isinstance(failure, discord.NotFound)
        assert failure.code == 10062


async def test_a_second_answer_is_refused(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="twice", description="Twice")
        async def twice(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("once")
            interaction.response._response_type = None  # as in a second process with the same token
            await interaction.response.send_message("twice")

    async with connect(build) as bot:
        await playground.command("twice")
        failure = await asyncio.wait_for(bot.failures.get(), EVENT_SECONDS)
        assert isinstance(failure, discord.HTTPException)
        assert (failure.status, failure.code) == (400, 40060)


async def test_the_token_ends_after_fifteen_minutes(connect: Connect, playground: PlaygroundClient) -> None:
    go_on = asyncio.Event()

    def build(tree: Tree) -> None:
        @tree.command(name="long", description="Long")
        async def long(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            await interaction.edit_original_response(content="working")
            await go_on.wait()
            await interaction.edit_original_response(content="finished")

    async with connect(build) as bot:
        interaction = await playground.command("long")
        assert interaction.response is not None
        await playground.wait_for_edit(interaction.response.id, lambda m: m.content == "working")
        await playground.advance_clock(15 * 60 + 1)
        go_on.set()
        failure = await asyncio.wait_for(bot.failures.get(), EVENT_SECONDS)
        assert isinstance(failure, discord.HTTPException)
        assert (failure.status, failure.code) == (401, 50027)
        # With the bot's own token the message can still be edited: it is an ordinary message of the channel.
        message = await bot.text_channel("general").fetch_message(int(interaction.response.id))
        await message.edit(content="finished after all")
        assert (await playground.message(message.id)).content == "finished after all"


async def test_buttons_of_any_age_can_be_pressed(connect: Connect, playground: PlaygroundClient) -> None:
    class Panel(ui.View):
        def __init__(self) -> None:
            super().__init__(timeout=None)

        @ui.button(label="More", custom_id="panel:more")
        async def more(self, interaction: discord.Interaction, _button: ui.Button[Any]) -> None:
            assert interaction.message is not None
            await interaction.response.edit_message(content=interaction.message.content + "!")

        @ui.button(label="Off", custom_id="panel:off", disabled=True)
        async def off(self, interaction: discord.Interaction, _button: ui.Button[Any]) -> None: ...

        @ui.select(
            custom_id="panel:pick", options=[discord.SelectOption(label="One"), discord.SelectOption(label="Two")]
        )
        async def pick(self, interaction: discord.Interaction, select: ui.Select[Any]) -> None:
            await interaction.response.send_message(f"picked {select.values[0]}", ephemeral=True)

    async with connect() as bot:
        sent = await bot.text_channel("general").send("panel", view=Panel())
    async with connect() as bot:
        bot.add_view(Panel())
        await playground.press(sent.id, "More", member="Linus")
        pressed = await playground.press(sent.id, "panel:more", member="Linus")
        assert pressed.response_type == "update_message"
        assert (await playground.message(sent.id)).content == "panel!!"
        picked = await playground.press(sent.id, "panel:pick", values=["Two"])
        assert picked.response is not None
        assert picked.response.content == "picked Two"
        assert picked.ephemeral
        for wrong in ("Off", "no such"):
            with pytest.raises(PlaygroundError, match="50035"):
                await playground.press(sent.id, wrong)


async def test_modals_are_opened_and_submitted(connect: Connect, playground: PlaygroundClient) -> None:
    class Form(ui.Modal, title="Remix"):
        prompt = ui.TextInput[Any](label="Prompt", custom_id="prompt", max_length=20)
        seed = ui.TextInput[Any](label="Seed", custom_id="seed", required=False, default="7")

        async def on_submit(self, interaction: discord.Interaction) -> None:
            await interaction.response.send_message(f"{self.prompt.value} {self.seed.value}")

    def build(tree: Tree) -> None:
        @tree.command(name="form", description="Form")
        async def form(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Form())

    async with connect(build):
        opened = await playground.command("form")
        assert opened.response_type == "modal"
        assert opened.modal is not None
        assert opened.modal["title"] == "Remix"
        with pytest.raises(PlaygroundError, match="50035"):
            await playground.submit_modal(opened, {"Prompt": "x" * 21})
        with pytest.raises(PlaygroundError, match="50035"):
            await playground.submit_modal(opened, {"Seed": "1"})
        with pytest.raises(PlaygroundError, match="10062"):
            await playground.submit_modal(opened, {"Prompt": "boat"}, member="Linus")
        submitted = await playground.submit_modal(opened, {"Prompt": "boat"})
        assert submitted.response is not None
        assert submitted.response.content == "boat 7"


async def test_message_commands_carry_the_message_whole(
    connect: Connect, playground: PlaygroundClient, picture: bytes
) -> None:
    def build(tree: Tree) -> None:
        @tree.context_menu(name="Remix")
        async def remix(interaction: discord.Interaction, message: discord.Message) -> None:
            data = await message.attachments[0].read()
            await interaction.response.send_message(f"{message.content} {data == picture}")

    async with connect(build):
        said = await playground.say("mine", member="Linus", files=[picture])
        answered = await playground.message_command("Remix", said.id)
        assert answered.response is not None
        assert answered.response.content == "mine True"


async def test_completions_are_answered(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: Tree) -> None:
        @tree.command(name="model", description="Model")
        async def model(interaction: discord.Interaction, name: str, size: int = 1) -> None: ...

        @model.autocomplete("name")
        async def complete(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
            names = ["boat", "bird", f"size {interaction.namespace.size}"]
            return [app_commands.Choice(name=name, value=name) for name in names if current in name]

    async with connect(build):
        assert await playground.autocomplete("model", "name", "b") == [
            {"name": "boat", "value": "boat"},
            {"name": "bird", "value": "bird"},
        ]
        sized = await playground.autocomplete("model", "name", "size", options={"size": 3})
        assert [choice["name"] for choice in sized] == ["size 3"]


async def test_subcommands_in_direct_messages(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: Tree) -> None:
        group = app_commands.Group(name="defaults", description="Defaults")

        @group.command(name="set", description="Set")
        async def set_default(interaction: discord.Interaction, steps: int) -> None:
            assert interaction.guild is None
            await interaction.response.send_message(f"{interaction.user.display_name}: {steps}")

        tree.add_command(group)

    async with connect(build):
        answered = await playground.command("defaults set", {"steps": 9}, member="Linus", channel="dm")
        assert answered.response is not None
        assert answered.response.content == "Linus: 9"
        assert answered.channel == "@Linus"
        with pytest.raises(PlaygroundError, match="10063"):
            await playground.command("defaults drop", {"steps": 9})
