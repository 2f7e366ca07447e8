"""Messages of the bot and of members: files, nonces, references, mentions, and what the bot may read."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import aiohttp
import discord
import pytest

from playground.client import PlaygroundClient, PlaygroundError
from tests.playground.conftest import EVENT_SECONDS, Connect, ProbeClient, Rest

MEBIBYTE = 1024 * 1024


def file_of(data: bytes, name: str = "out.png", **arguments: Any) -> discord.File:
    return discord.File(io.BytesIO(data), name, **arguments)


async def next_message(bot: ProbeClient, message_id: str) -> discord.Message:
    """Return the message as received from the gateway."""
    while True:
        message = await asyncio.wait_for(bot.seen.get(), EVENT_SECONDS)
        if message.id == int(message_id):
            return message


async def test_a_file_comes_back_byte_for_byte(connect: Connect, playground: PlaygroundClient, picture: bytes) -> None:
    async with connect() as bot:
        sent = await bot.text_channel("gallery").send(
            "here", file=file_of(picture, description="A teal field"), embed=discord.Embed(title="Seed 7")
        )
        assert await sent.attachments[0].read() == picture
        shown = await playground.message(sent.id)
        assert shown.attachments[0].description == "A teal field"
        assert (shown.attachments[0].width, shown.attachments[0].height) == (40, 30)
        assert await playground.download(shown.attachments[0].proxy_url) == picture
        assert shown.embeds[0]["title"] == "Seed 7"
        edited = await sent.edit(attachments=[])
        assert edited.attachments == []
        with pytest.raises(PlaygroundError, match="404"):
            await playground.download(shown.attachments[0].url)


async def test_spoilers_and_embedded_pictures(connect: Connect, playground: PlaygroundClient, picture: bytes) -> None:
    async with connect() as bot:
        hidden = await bot.text_channel("gallery").send(file=file_of(picture, spoiler=True))
        assert hidden.attachments[0].is_spoiler()
        assert (await playground.message(hidden.id)).attachments[0].spoiler
        embed = discord.Embed(title="card").set_image(url="attachment://out.png")
        sent = await bot.text_channel("gallery").send(embed=embed, file=file_of(picture))
        assert sent.attachments == []
        assert sent.embeds[0].image.width == 40
        assert await playground.download(sent.embeds[0].image.proxy_url or "") == picture


async def test_the_same_nonce_gives_the_same_message(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        channel = bot.text_channel("general")
        first = await channel.send("result", nonce="job-1")
        again = await channel.send("result", nonce="job-1")
        other = await channel.send("result", nonce="job-2")
        assert again.id == first.id
        assert other.id != first.id
        await playground.advance_clock(10 * 60)
        later = await channel.send("result", nonce="job-1")
        assert later.id != first.id
        assert (await playground.message(later.id)).nonce == "job-1"


async def test_replies_and_vanished_messages(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        channel = bot.text_channel("general")
        question = await playground.say("question", member="Ada")
        target = await channel.fetch_message(int(question.id))
        answer = await target.reply("answer", mention_author=False)
        shown = await playground.message(answer.id)
        assert shown.reference is not None
        assert (shown.reference.author, shown.reference.exists) == ("Ada", True)
        assert shown.mentions == []
        pinging = await target.reply("answer", mention_author=True)
        assert (await playground.message(pinging.id)).mentions == ["Ada"]

        await playground.delete_message(question.id, member="Ada")
        with pytest.raises(discord.NotFound) as gone:
            await channel.fetch_message(int(question.id))
        assert gone.value.code == 10008
        with pytest.raises(discord.HTTPException) as refused:
            await target.reply("answer")
        assert refused.value.code == 50035
        loose = await channel.send("answer", reference=target.to_reference(fail_if_not_exists=False))
        assert (await playground.message(loose.id)).reference is None
        again = await channel.fetch_message(answer.id)
        assert again.reference is not None
        assert isinstance(again.reference.resolved, discord.DeletedReferencedMessage)

        await loose.delete()
        with pytest.raises(discord.NotFound) as unknown:
            await loose.edit(content="late")
        assert unknown.value.code == 10008
        assert (await playground.message(loose.id)).deleted


async def test_history_is_cut_as_asked(connect: Connect) -> None:
    async with connect() as bot:
        channel = bot.text_channel("gallery")
        sent = [await channel.send(str(number)) for number in range(6)]
        newest = [message.content async for message in channel.history(limit=3)]
        assert newest == ["5", "4", "3"]
        before = [message.content async for message in channel.history(limit=2, before=sent[3])]
        assert before == ["2", "1"]
        after = [message.content async for message in channel.history(limit=2, after=sent[3])]
        assert after == ["4", "5"]
        around = [message.content async for message in channel.history(limit=3, around=sent[2])]
        assert sorted(around) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [
        (None, ["Ada", "Linus"]),
        (discord.AllowedMentions.none(), []),
        (discord.AllowedMentions(users=[discord.Object(0)], everyone=False, roles=False), ["Linus"]),
    ],
)
async def test_allowed_mentions_decide_who_is_pinged(
    connect: Connect, playground: PlaygroundClient, allowed: discord.AllowedMentions | None, pinged: list[str]
) -> None:
    ids = {member["name"]: int(member["id"]) for member in (await playground.state())["members"]}
    if allowed is not None and isinstance(allowed.users, list):
        allowed = discord.AllowedMentions(users=[discord.Object(ids["Linus"])], everyone=False, roles=False)
    text = f"<@{ids['Ada']}> and <@!{ids['Linus']}> and @everyone"
    async with connect() as bot:
        channel = bot.text_channel("general")
        sent = await channel.send(text, allowed_mentions=allowed or discord.AllowedMentions.all())
    shown = await playground.message(sent.id)
    assert shown.mentions == pinged
    assert not shown.mention_everyone  # the bot lacks the permission


async def test_what_the_bot_reads_without_the_intent(
    connect: Connect, playground: PlaygroundClient, picture: bytes
) -> None:
    async with connect() as bot:
        own = await bot.text_channel("general").send("mine")
        hidden = await playground.say("secret", files=[picture])
        seen = await next_message(bot, hidden.id)
        assert (seen.content, seen.attachments, seen.author.display_name) == ("", [], "Ada")
        fetched = await bot.text_channel("general").fetch_message(int(hidden.id))
        assert (fetched.content, fetched.attachments) == ("", [])

        mentioned = await playground.say("@Bot make it blue", files=[picture])
        seen = await next_message(bot, mentioned.id)
        assert seen.content.endswith("make it blue")
        assert bot.user in seen.mentions
        assert await seen.attachments[0].read() == picture

        replied = await playground.say("strength 0.7", reply_to=own.id)
        assert (await next_message(bot, replied.id)).content == "strength 0.7"
        quiet = await playground.say("strength 0.7", reply_to=own.id, ping=False)
        assert (await next_message(bot, quiet.id)).content == ""

        direct = await playground.say("in private", channel="dm", member="Linus")
        seen = await next_message(bot, direct.id)
        assert (seen.content, seen.guild) == ("in private", None)


async def test_a_reply_to_a_command_response_does_not_ping(connect: Connect, playground: PlaygroundClient) -> None:
    def build(tree: discord.app_commands.CommandTree[Any]) -> None:
        @tree.command(name="hello", description="Hello")
        async def hello(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("hello")

    async with connect(build) as bot:
        response = (await playground.command("hello")).response
        assert response is not None
        replied = await playground.say("make it blue", reply_to=response.id, ping=True)
        seen = await next_message(bot, replied.id)
        assert (seen.content, seen.mentions) == ("", [])


async def test_the_intent_opens_everything(connect: Connect, playground: PlaygroundClient) -> None:
    intents = discord.Intents.default()
    intents.message_content = True
    await playground.set_privileged_intents(intents.value & (1 << 15))
    async with connect(intents=intents) as bot:
        said = await playground.say("open")
        assert (await next_message(bot, said.id)).content == "open"


@pytest.mark.parametrize(("shown", "content"), [("filled", "theirs"), ("empty", ""), ("absent", None)])
async def test_a_reply_to_another_member_shows_what_the_test_wants(
    connect: Connect, playground: PlaygroundClient, picture: bytes, shown: Any, content: str | None
) -> None:
    async with connect() as bot:
        theirs = await playground.say("theirs", member="Linus", files=[picture])
        asked = await playground.say("@Bot blue", member="Ada", reply_to=theirs.id, referenced=shown)
        seen = await next_message(bot, asked.id)
        assert seen.reference is not None
        assert seen.reference.message_id == int(theirs.id)
        resolved = seen.reference.resolved
        if content is None:
            assert resolved is None
        else:
            assert isinstance(resolved, discord.Message)
            assert resolved.content == content
            assert len(resolved.attachments) == (1 if content else 0)


async def test_too_large_files_are_refused(connect: Connect, playground: PlaygroundClient) -> None:
    async with connect() as bot:
        channel = bot.text_channel("gallery")
        await playground.set_upload_limit(1 * MEBIBYTE)
        try:
            with pytest.raises(discord.HTTPException) as refused:
                await channel.send(file=file_of(bytes(MEBIBYTE + 1)))
            assert (refused.value.status, refused.value.code) == (413, 40005)
            await channel.send(file=file_of(bytes(MEBIBYTE)))
        finally:
            await playground.set_upload_limit(10 * MEBIBYTE)
        with pytest.raises(discord.HTTPException) as refused:
            await channel.send(files=[file_of(bytes(9 * MEBIBYTE)) for _ in range(3)])
        assert (refused.value.status, refused.value.code) == (413, 40005)


async def test_direct_messages_of_the_bot(connect: Connect, playground: PlaygroundClient) -> None:
    ids = {member["name"]: int(member["id"]) for member in (await playground.state())["members"]}
    async with connect() as bot:
        ada = await bot.fetch_user(ids["Ada"])
        sent = await ada.send("your picture is ready")
        assert [message.id for message in await playground.messages("@Ada", member="Ada")][-1] == str(sent.id)
        with pytest.raises(PlaygroundError, match="50001"):
            await playground.messages("@Ada", member="Linus")
        await playground.set_direct_messages("Ada", accepted=False)
        with pytest.raises(discord.Forbidden) as refused:
            await ada.send("again")
        assert refused.value.code == 50007
        await playground.set_direct_messages("Ada", accepted=True)


async def test_editing_keeps_named_attachments(rest: Rest, channel_id: str, picture: bytes) -> None:
    def form(payload: dict[str, Any], **files: bytes) -> aiohttp.FormData:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("payload_json", json.dumps(payload))
        for name, data in files.items():
            form.add_field(f"files[{name[1:]}]", data, filename=f"{name}.png")
        return form

    sent = await rest("POST", f"/channels/{channel_id}/messages", data=form({}, f0=picture, f1=picture))
    kept, dropped = sent.body["attachments"]
    payload = {"attachments": [{"id": kept["id"]}, {"id": 0, "description": "new"}]}
    path = f"/channels/{channel_id}/messages/{sent.body['id']}"
    edited = await rest("PATCH", path, data=form(payload, f0=picture))
    assert edited.body["attachments"][0]["id"] == kept["id"]
    assert edited.body["attachments"][1]["description"] == "new"
    assert dropped["id"] not in json.dumps(edited.body)
    assert edited.body["edited_timestamp"] is not None


async def test_members_have_only_their_own_rights(playground: PlaygroundClient) -> None:
    said = await playground.say("Ada's", member="Ada")
    with pytest.raises(PlaygroundError, match="50013"):
        await playground.delete_message(said.id, member="Linus")
    with pytest.raises(PlaygroundError, match="50005"):
        await playground.edit_message(said.id, "mine", member="Linus")
    edited = await playground.edit_message(said.id, "better", member="Ada")
    assert (edited.content, edited.edited_count) == ("better", 1)
    await playground.delete_message(said.id, member="Grace")
    assert (await playground.message(said.id)).deleted


async def test_automod_stops_members_and_bots_and_not_who_manages_the_server(
    connect: Connect, playground: PlaygroundClient
) -> None:
    async with connect() as bot:
        channel = bot.text_channel("general")
        sent = await channel.send("harmless")
        try:
            await playground.set_automod("Verboten")
            for stopped in (channel.send("it is verboten"), sent.edit(content="it is verboten")):
                with pytest.raises(discord.HTTPException) as caught:
                    await stopped
                assert (caught.value.status, caught.value.code) == (400, 200000)
            with pytest.raises(PlaygroundError, match="automatic moderation"):
                await playground.say("it is verboten")
            await playground.say("it is verboten", member="Grace")
            await playground.say("it is verboten", channel="@Ada")
        finally:
            await playground.set_automod()
        await channel.send("it is verboten")
