"""Bodies that Discord's own document does not allow are rejected, in Discord's form, with the field named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from playground import openapi_document
from playground.client import PlaygroundClient, PlaygroundServer
from playground.errors import DiscordError
from playground.judge import Judge
from playground.openapi_document import find_openapi_document
from tests.playground.conftest import EVENT_SECONDS, Connect, Rest


def button(**arguments: Any) -> dict[str, Any]:
    return {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"} | arguments]}


def leaf(tree: dict[str, Any], path: str) -> list[dict[str, str]]:
    node: Any = tree
    for key in path.split("."):
        assert key in node, f"{path} is not in {json.dumps(tree)}"
        node = node[key]
    return node["_errors"]


BY_THE_DOCUMENT = [
    ({"content": "x", "nonce": "n" * 26}, "nonce", "BASE_TYPE_MAX_LENGTH"),
    ({"content": 7}, "content", "STRING_TYPE_CONVERT"),
    ({"components": [button(custom_id="c" * 101)]}, "components.0.components.0.custom_id", "BASE_TYPE_BAD_LENGTH"),
    ({"components": [button(style=9)]}, "components.0.components.0.style", "BASE_TYPE_CHOICES"),
    ({"components": [{"type": 77}]}, "components.0.type", "UNION_TYPE_CHOICES"),
    ({"components": [{"type": 1}]}, "components.0.components", "BASE_TYPE_REQUIRED"),
    ({"embeds": [{"title": "t" * 257}]}, "embeds.0.title", "BASE_TYPE_MAX_LENGTH"),
    ({"embeds": [{"color": 1 << 24}]}, "embeds.0.color", "NUMBER_TYPE_MAX"),
    ({"embeds": [{"url": "javascript:alert(1)"}]}, "embeds.0.url", "URL_TYPE_INVALID_URL"),
    ({"embeds": [{"fields": [{"name": "n"}]}]}, "embeds.0.fields.0.value", "BASE_TYPE_REQUIRED"),
    ({"embeds": [{}] * 11}, "embeds", "BASE_TYPE_MAX_LENGTH"),
    ({"message_reference": {"message_id": "abc"}}, "message_reference.message_id", "NUMBER_TYPE_COERCE"),
    ({"allowed_mentions": {"parse": ["all"]}}, "allowed_mentions.parse.0", "BASE_TYPE_CHOICES"),
]
BY_THE_RULES = [
    ({"content": "x" * 2001}, "content", "BASE_TYPE_MAX_LENGTH"),
    ({"components": [button(), button()]}, "components.1.components.0.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
    ({"components": [button(custom_id=None)]}, "components.0.components.0.custom_id", "COMPONENT_CUSTOM_ID_REQUIRED"),
    ({"components": [button(custom_id=str(n)) for n in range(6)]}, "components", "BASE_TYPE_BAD_LENGTH"),
    ({"embeds": [{"description": "d" * 4000}] * 2}, "embeds.1", "MAX_EMBED_SIZE_EXCEEDED"),
    ({"content": "x", "attachments": [{"id": 0}]}, "attachments.0.id", "ATTACHMENT_NOT_FOUND"),
    (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "allowed_mentions",
        "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
    ),
]


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize(("body", "path", "code"), BY_THE_DOCUMENT)
async def test_the_document_refuses(rest: Rest, channel_id: str, body: dict[str, Any], path: str, code: str) -> None:
    answer = await rest("POST", f"/channels/{channel_id}/messages", json=body)
    assert (answer.status, answer.body["code"], answer.body["message"]) == (400, 50035, "Invalid Form Body")
    assert leaf(answer.body["errors"], path)[0]["code"] == code


@pytest.mark.parametrize(("body", "path", "code"), BY_THE_RULES)
async def test_the_rules_refuse(rest: Rest, channel_id: str, body: dict[str, Any], path: str, code: str) -> None:
    answer = await rest("POST", f"/channels/{channel_id}/messages", json=body)
    assert (answer.status, answer.body["code"]) == (400, 50035)
    assert leaf(answer.body["errors"], path)[0]["code"] == code


async def test_an_empty_message_is_refused(rest: Rest, channel_id: str) -> None:
    answer = await rest("POST", f"/channels/{channel_id}/messages", json={"content": "  "})
    assert (answer.status, answer.body["code"]) == (400, 50006)


async def test_broken_bodies_are_refused(rest: Rest, channel_id: str) -> None:
    path = f"/channels/{channel_id}/messages"
    broken = await rest("POST", path, data=b'{"content": ')
    assert (broken.status, broken.body["code"]) == (400, 50109)

    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", "{")
    form.add_field("files[0]", b"data", filename="a.png")
    broken = await rest("POST", path, data=form)
    assert (broken.status, broken.body["code"]) == (400, 50109)

    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", json.dumps({"attachments": [{"id": 1}]}))
    form.add_field("files[0]", b"data", filename="a.png")
    unmatched = await rest("POST", path, data=form)
    assert leaf(unmatched.body["errors"], "attachments.0.id")[0]["code"] == "ATTACHMENT_NOT_FOUND"

    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", json.dumps({"content": "x"}))
    form.add_field("picture", b"data", filename="a.png")
    misnamed = await rest("POST", path, data=form)
    assert (misnamed.status, misnamed.body["code"]) == (400, 50035)
    assert "picture" in misnamed.body["errors"]


@pytest.mark.usefixtures("judged")
async def test_a_multipart_body_is_judged_like_any_other(rest: Rest, channel_id: str, picture: bytes) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", json.dumps({"attachments": [{"id": 0}], "nonce": "n" * 26}))
    form.add_field("files[0]", picture, filename="a.png")
    answer = await rest("POST", f"/channels/{channel_id}/messages", data=form)
    assert (answer.status, answer.body["code"]) == (400, 50035)
    assert leaf(answer.body["errors"], "nonce")[0]["message"] == "Must be 25 or fewer in length."


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize(
    ("command", "path"),
    [
        ({"name": "n" * 33, "description": "d"}, "0.name"),
        ({"name": "ok", "description": "d" * 101}, "0.description"),
        ({"name": "ok", "description": "d", "options": [{"type": 3, "name": "o"}]}, "0.options.0.description"),
        ({"name": "Not Ok", "description": "d"}, "0.name"),
        (
            {
                "name": "ok",
                "description": "d",
                "options": [
                    {"type": 3, "name": "a", "description": "d"},
                    {"type": 3, "name": "b", "description": "d", "required": True},
                ],
            },
            "0.options.1",
        ),
    ],
)
async def test_wrong_commands_are_refused(
    rest: Rest, playground: PlaygroundClient, command: dict[str, Any], path: str
) -> None:
    application = (await playground.state())["bot"]["id"]
    answer = await rest("PUT", f"/applications/{application}/commands", json=[command])
    assert (answer.status, answer.body["code"]) == (400, 50035)
    assert leaf(answer.body["errors"], path)


@pytest.mark.usefixtures("judged")
async def test_what_the_gateway_carries_is_judged_too(
    connect: Connect, playground: PlaygroundClient, picture: bytes
) -> None:
    events: dict[str, Any] = {}
    async with connect() as bot:
        parsers = bot._connection.parsers
        for event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            ordinary = parsers[event]

            def keep(data: Any, event: str = event, ordinary: Any = ordinary) -> None:
                events[event] = json.loads(json.dumps(data))
                ordinary(data)

            parsers[event] = keep
        said = await playground.say("@Bot look", files=[picture])
        await bot.wait_for("message", timeout=EVENT_SECONDS)
        await playground.edit_message(said.id, "@Bot look again")
        await bot.wait_for("raw_message_edit", timeout=EVENT_SECONDS)
    for event in events.values():
        assert not await playground.schema_violations("MessageResponse", event)
    assert set(events) == {"MESSAGE_CREATE", "MESSAGE_UPDATE"}


async def test_without_a_document_it_says_so_and_lets_pass(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    async with PlaygroundServer(openapi=missing) as server:
        assert not server.judged
        assert str(missing) in (server.unjudged_reason or "")
        state = await server.client.state()
        assert state["judged"] is False
        channel = state["channels"][0]["id"]
        async with aiohttp.ClientSession(headers={"Authorization": f"Bot {server.token}"}) as session:
            url = f"{server.api_url}/channels/{channel}/messages"
            async with session.post(url, json={"embeds": [{"title": "t" * 257}]}) as response:
                assert response.status == 200
            async with session.post(url, json={"content": "x", "nonce": "n" * 26}) as response:
                assert response.status == 400  # the important limits are enforced without the document


def test_the_document_is_looked_for_where_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "openapi.json"
    here.write_text('{"paths": {}, "components": {}}')
    monkeypatch.setenv("DISCORD_OPENAPI", str(here))
    assert find_openapi_document().source == str(here)
    here.write_text("[]")
    assert "not an OpenAPI document" in (find_openapi_document().reason or "")
    here.write_text("{")
    assert "could not be read" in (find_openapi_document().reason or "")


def test_a_download_must_have_the_pinned_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = tmp_path / "published.json"
    published.write_text('{"paths": {}, "components": {}}')
    monkeypatch.delenv("DISCORD_OPENAPI", raising=False)
    monkeypatch.setattr(openapi_document, "REPOSITORY", tmp_path / "checkout")
    monkeypatch.setattr(openapi_document, "URL", published.as_uri())
    cache = tmp_path / "cache"
    assert "pinned sha256" in (find_openapi_document(cache_folder=cache).reason or "")
    assert not cache.exists()
    monkeypatch.setattr(openapi_document, "SHA256", hashlib.sha256(published.read_bytes()).hexdigest())
    found = find_openapi_document(cache_folder=cache)
    assert found.document == {"paths": {}, "components": {}}
    published.unlink()
    assert find_openapi_document(cache_folder=cache).document == {"paths": {}, "components": {}}


@pytest.mark.usefixtures("judged")
def test_answers_are_judged() -> None:
    judge = Judge(find_openapi_document().document)
    assert judge.answer_violations("GET", "/gateway", 200, {"url": "ws://here"}) == []
    assert judge.answer_violations("GET", "/gateway", 200, {}) == [("", "'url' is a required property")]
    assert judge.answer_violations("GET", "/gateway", 404, {"code": 0, "message": "404: Not Found"}) == []
    assert judge.answer_violations("GET", "/gateway", 302, None)
    assert judge.answer_violations("GET", "/users/@me", 200, {"id": 7})
    with pytest.raises(DiscordError):
        judge.check_request("POST", "/users/@me/channels", {"recipient_id": []})
