"""Where the picture of a message is found, in the library's own objects."""

from typing import Any

import discord
import pytest

from bot.orders.sources import source_in

PICTURE = {"id": "3", "filename": "a.png", "size": 9, "url": "https://cdn.discordapp.com/a.png", "proxy_url": "x"}
OTHER = PICTURE | {"url": "https://cdn.discordapp.com/b.png"}
AUTHOR = {"id": "7", "username": "ada", "discriminator": "0", "avatar": None}


def message(attachments: list[dict[str, Any]], forwarded: list[dict[str, Any]] | None = None) -> discord.Message:
    state = discord.Client(intents=discord.Intents.none())._connection
    data: dict[str, Any] = {
        "id": "1",
        "channel_id": "2",
        "type": 0,
        "content": "",
        "author": AUTHOR,
        "attachments": attachments,
        "embeds": [],
        "pinned": False,
        "mention_everyone": False,
        "tts": False,
        "edited_timestamp": None,
        "timestamp": "2026-11-26T00:00:00+00:00",
        "mentions": [],
        "mention_roles": [],
        "components": [],
    }
    if forwarded is not None:
        data["message_reference"] = {"type": 1, "message_id": "9", "channel_id": "8"}
        data["message_snapshots"] = [{"message": data | {"attachments": forwarded}}]
    channel = discord.PartialMessageable(state=state, id=2)
    return discord.Message(state=state, channel=channel, data=data)  # pyright: ignore[reportArgumentType]  # a payload


@pytest.mark.parametrize(
    ("attachments", "forwarded", "url", "ignored"),
    [
        ([PICTURE], None, PICTURE["url"], 0),
        ([], [PICTURE], PICTURE["url"], 0),
        ([], [PICTURE, OTHER], PICTURE["url"], 1),
        ([PICTURE | {"content_type": "text/plain"}], [OTHER], OTHER["url"], 0),
    ],
)
async def test_the_first_picture_is_taken_a_forwarded_one_too(
    attachments: list[dict[str, Any]], forwarded: list[dict[str, Any]] | None, url: str, ignored: int
) -> None:
    source = source_in(message(attachments, forwarded))
    assert source is not None
    assert (source.attachment_url, source.ignored_pictures, source.posted_by) == (url, ignored, 7)


async def test_a_message_without_a_picture_has_none() -> None:
    assert source_in(message([], [])) is None
