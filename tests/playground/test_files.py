"""File URLs are signed, expire by the stand-in's clock, and are renewed with the message."""

from __future__ import annotations

from typing import Any

import aiohttp
import discord
import pytest

from playground.client import PlaygroundClient, PlaygroundError, PlaygroundServer
from playground.files import clean_filename
from tests.playground.conftest import Connect


async def test_addresses_expire_and_a_fetched_message_has_fresh_ones(
    connect: Connect, playground: PlaygroundClient, picture: bytes
) -> None:
    said = await playground.say("@Bot", files=[picture])
    old = said.attachments[0]
    assert await playground.download(old.url) == picture
    await playground.advance_clock(25 * 60 * 60)
    for url in (old.url, old.proxy_url):
        with pytest.raises(PlaygroundError, match="404"):
            await playground.download(url)
    async with connect() as bot:
        message = await bot.text_channel("general").fetch_message(int(said.id))
        assert message.attachments[0].url != old.url
        assert await message.attachments[0].read() == picture


async def test_command_inputs_expire_too(connect: Connect, playground: PlaygroundClient, picture: bytes) -> None:
    urls: list[str] = []

    def build(tree: discord.app_commands.CommandTree[Any]) -> None:
        @tree.command(name="keep", description="Keep")
        async def keep(interaction: discord.Interaction, image: discord.Attachment) -> None:
            urls.append(image.url)
            await interaction.response.send_message("kept")

    async with connect(build):
        await playground.command("keep", {"image": picture})
    assert "/ephemeral-attachments/" in urls[0]
    assert await playground.download(urls[0]) == picture
    await playground.advance_clock(25 * 60 * 60)
    with pytest.raises(PlaygroundError, match="404"):
        await playground.download(urls[0])


async def test_a_changed_signature_opens_nothing(playground: PlaygroundClient, picture: bytes) -> None:
    url = (await playground.say(files=[picture])).attachments[0].url
    base, query = url.split("?")
    parameters = dict(pair.split("=") for pair in query.strip("&").split("&"))
    for key, value in (("ex", "ffffffff"), ("is", "0"), ("hm", "0" * 64), ("ex", "soon")):
        changed = "&".join(f"{name}={text}" for name, text in (parameters | {key: value}).items())
        with pytest.raises(PlaygroundError, match="404"):
            await playground.download(f"{base}?{changed}")
    with pytest.raises(PlaygroundError, match="404"):
        await playground.download(base)


@pytest.mark.parametrize(
    ("wanted", "status", "part", "said"),
    [
        ("bytes=0-3", 206, slice(0, 4), "bytes 0-3/100"),
        ("bytes=90-200", 206, slice(90, 100), "bytes 90-99/100"),
        ("bytes=-7", 206, slice(93, 100), "bytes 93-99/100"),
        ("bytes=0-200", 200, slice(None), None),
        ("bites=1-2", 200, slice(None), None),
        ("bytes=100-200", 416, slice(0), "bytes */100"),
    ],
)
async def test_a_part_of_a_file_is_sent_where_one_is_asked_for(
    playground: PlaygroundClient, wanted: str, status: int, part: slice, said: str | None
) -> None:
    data = bytes(range(100))
    url = (await playground.say(files=[("a.bin", data)])).attachments[0].url
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Range": wanted}) as response:
        assert (response.status, await response.read()) == (status, data[part])
        assert response.headers.get("Content-Range") == said


async def test_only_pictures_are_shown_in_place(server: PlaygroundServer, playground: PlaygroundClient) -> None:
    said = await playground.say(files=[("page.html", b"<script>alert(1)</script>")])
    async with aiohttp.ClientSession() as session, session.get(said.attachments[0].url) as response:
        assert response.headers["Content-Disposition"] == "attachment"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with aiohttp.ClientSession() as session, session.get(f"{server.address}/embed/avatars/3.png") as response:
        assert response.content_type == "image/png"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a b.png", "a_b.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\me.jpg", "me.jpg"),
        ("ü?.png", "_.png"),
        ("///", "file"),
    ],
)
def test_filenames_are_cleaned(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


async def test_hostile_pictures_are_just_files(playground: PlaygroundClient) -> None:
    said = await playground.say(files=[("broken.png", b"\x89PNG\r\n\x1a\n" + bytes(100)), ("empty.jpg", b"")])
    assert [(entry.width, entry.height) for entry in said.attachments] == [(None, None), (None, None)]
