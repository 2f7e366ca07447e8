"""Finding the picture of a message, with the library's own objects."""

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.errors import Refused
from bot.orders.sources import source_in, source_of, source_with_owner
from bot.storage.jobs import Jobs
from generation.images.decoder import MAX_INPUT_BYTES
from tests.bot.jobs_made import make_job

PICTURE = {"id": "3", "filename": "a.png", "size": 9, "url": "https://cdn.discordapp.com/a.png", "proxy_url": "x"}
OTHER = PICTURE | {"url": "https://cdn.discordapp.com/b.png"}
AUTHOR = {"id": "7", "username": "ada", "discriminator": "0", "avatar": None}


def message(
    attachments: list[dict[str, Any]], forwarded: list[dict[str, Any]] | None = None, **more: Any
) -> discord.Message:
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
        **more,
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
    assert source.mask_url == (OTHER["url"] if ignored else None)


def test_a_picture_or_a_mask_that_is_too_large_is_refused_before_it_is_fetched() -> None:
    large = PICTURE | {"size": MAX_INPUT_BYTES + 1}
    picture, too_large = message([PICTURE, large]).attachments
    for picture_and_mask in ((too_large,), (too_large, picture), (picture, too_large)):
        with pytest.raises(Refused, match="attachment_too_large"):
            source_of(*picture_and_mask)
    assert source_in(message([PICTURE, large])) is not None  # where the second one need not be a mask


async def test_a_message_without_a_picture_has_none() -> None:
    assert source_in(message([], [])) is None


def media(name: str, kind: str = "image/png") -> dict[str, Any]:
    return {"url": "https://example.org", "proxy_url": f"https://media.discordapp.net/{name}", "content_type": kind}


async def test_a_picture_in_a_layout_is_taken_as_other_bots_send_it() -> None:
    gallery = {"type": 12, "id": 2, "items": [{"media": media("v", "video/mp4")}, {"media": media("a")}]}
    text = {"type": 10, "id": 3, "content": "words"}
    thumbnail = {"type": 11, "id": 4, "media": media("b"), "spoiler": False}
    section = {"type": 9, "id": 5, "components": [text], "accessory": thumbnail}
    container = {"type": 17, "id": 1, "components": [text, gallery, section], "spoiler": True}
    source = source_in(message([], components=[container]))
    assert source is not None
    assert (source.attachment_url, source.ignored_pictures) == ("https://media.discordapp.net/a", 1)
    assert (source.spoiler, source.posted_by) == (True, 7)


@pytest.mark.parametrize(("format_type", "extension"), [(1, "png"), (2, "png"), (4, "gif"), (3, None)])
async def test_a_sticker_is_a_picture_unless_it_is_drawn_by_a_program(format_type: int, extension: str | None) -> None:
    source = source_in(message([], sticker_items=[{"id": "5", "name": "wave", "format_type": format_type}]))
    assert (source is None) is (extension is None)
    assert source is None or (source.attachment_url or "").endswith(f"/stickers/5.{extension}")


class Channel(discord.TextChannel):
    """A channel in which member 8 has posted a picture that somebody has forwarded."""

    def __init__(self, *, may_read: bool) -> None:
        self.guild = cast("Any", SimpleNamespace(me=None))
        self.may_read = may_read
        self.asked = 0

    def permissions_for(self, _member: object, /) -> discord.Permissions:
        return discord.Permissions(view_channel=True, read_message_history=self.may_read)

    async def fetch_message(self, _message_id: int, /) -> discord.Message:
        self.asked += 1
        return message([PICTURE], author=AUTHOR | {"id": "8"})


def client_that_sees(channel: Channel | None) -> Any:
    return SimpleNamespace(user=message([], author=AUTHOR | {"id": "99"}).author, get_channel={8: channel}.get)


@pytest.mark.parametrize(("may_read", "owner_id"), [(True, 8), (False, 7)])
async def test_a_forwarded_picture_is_its_posters_where_the_bot_may_look(
    jobs: Jobs, may_read: bool, owner_id: int
) -> None:
    channel = Channel(may_read=may_read)
    source = await source_with_owner(client_that_sees(channel), jobs, message([], [PICTURE]))
    assert source is not None
    assert (source.posted_by, source.owner_id) == (owner_id, owner_id)
    assert channel.asked == may_read  # a refused request would count towards a ban


async def test_a_forwarded_result_is_whose_it_is_wherever_that_was(jobs: Jobs) -> None:
    await jobs.accept(make_job(requester_id=5, result_message_id=9))
    source = await source_with_owner(client_that_sees(None), jobs, message([], [PICTURE]))
    assert source is not None
    assert source.posted_by == 5


async def test_a_result_of_which_nothing_is_kept_is_whose_it_says(jobs: Jobs) -> None:
    text = "**a cat** · for <@100000000000000005>"
    result = message([PICTURE], content=text, author=AUTHOR | {"id": "99"})
    source = await source_with_owner(client_that_sees(None), jobs, result)
    assert source is not None
    assert source.posted_by == 100000000000000005
