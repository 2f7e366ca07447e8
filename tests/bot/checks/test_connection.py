"""What ``python -m bot check`` reports about Discord, tested against the stand-in over real sockets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from discord.http import Route
from pydantic import HttpUrl, SecretStr
from yarl import URL

from bot.checks.application import NEEDED_PERMISSIONS
from bot.checks.connection import discord_findings
from bot.checks.findings import Finding, Verdict
from bot.settings import Settings
from playground.client import PlaygroundClient, PlaygroundServer
from tests.bot.checks.conftest import CHANNELS, changed


@pytest.fixture(autouse=True)
def address_as_before() -> Iterator[None]:
    before = Route.BASE
    yield
    Route.BASE = before


@pytest.fixture
def settings(server: PlaygroundServer, tmp_path: Path) -> Settings:
    return Settings(
        discord_token=SecretStr(server.token), discord_api_url=HttpUrl(server.api_url), data_dir=tmp_path / "data"
    )


async def asked(settings: Settings) -> dict[str, Finding]:
    """Return the findings about Discord by check name; each check has one finding here."""
    findings = await discord_findings(settings)
    token = settings.discord_token.get_secret_value() if settings.discord_token else "nothing"
    assert not any(token in finding.line() for finding in findings)
    assert all(finding.remedy for finding in findings if finding.verdict is not Verdict.OK)
    assert len({finding.check for finding in findings}) == len(findings)
    return {finding.check: finding for finding in findings}


async def test_a_bot_that_is_set_up_well_has_nothing_to_mend(playground: PlaygroundClient, settings: Settings) -> None:
    found = await asked(settings)
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert set(found) == {"token", "clock", "application", "installation", "intents", "server", "invite"}
    assert "3 channels" in found["server"].message


async def test_the_invite_link_asks_for_what_is_needed_and_no_more(
    playground: PlaygroundClient, settings: Settings
) -> None:
    link = URL((await asked(settings))["invite"].message.rpartition(" ")[2])
    assert link.query["scope"] == "bot applications.commands"
    # https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags
    assert int(link.query["permissions"]) == 1 << 10 | 1 << 11 | 1 << 15 | 1 << 16 | 1 << 38
    assert int(link.query["permissions"]) == NEEDED_PERMISSIONS.value


async def test_an_application_that_accounts_cannot_install_is_reported_to_who_wants_that(
    playground: PlaygroundClient, settings: Settings
) -> None:
    wanted = changed(settings, user_installs=True)
    finding = (await asked(wanted))["user installs"]
    assert finding.verdict is Verdict.WARN
    assert "User Install" in finding.remedy
    await playground.set_application({"integration_types_config": {"0": {}, "1": {}}})
    finding = (await asked(wanted))["user installs"]
    assert finding.verdict is Verdict.OK
    assert URL(finding.message.rpartition(" ")[2]).query["integration_type"] == "1"


async def test_without_a_token_it_says_where_to_get_one(settings: Settings) -> None:
    found = await asked(changed(settings, discord_token=None))
    assert list(found) == ["token"]
    assert found["token"].verdict is Verdict.FAIL
    assert "discord.com/developers" in found["token"].remedy


async def test_a_wrong_token_fails(playground: PlaygroundClient, settings: Settings) -> None:
    found = await asked(changed(settings, discord_token=SecretStr("not.the.token")))
    assert list(found) == ["token"]
    assert found["token"].verdict is Verdict.FAIL
    assert "does not accept" in found["token"].message


async def test_an_address_where_nobody_listens_fails(settings: Settings) -> None:
    found = await asked(changed(settings, discord_api_url=HttpUrl("http://127.0.0.1:9/api/v10")))
    assert found["discord"].verdict is Verdict.FAIL
    assert "cannot be reached" in found["discord"].message


async def test_a_discord_in_trouble_is_not_called_a_wrong_token(
    playground: PlaygroundClient, settings: Settings
) -> None:
    await playground.add_fault("/users/@me$", status=503, times=None)
    found = await asked(settings)
    assert list(found) == ["discord"]
    assert "503" in found["discord"].message


async def test_channels_in_which_something_is_missing_are_named(
    playground: PlaygroundClient, settings: Settings
) -> None:
    await playground.set_permissions("gallery", deny=["ATTACH_FILES", "SEND_MESSAGES_IN_THREADS"])
    await playground.set_permissions("after-dark", deny=["VIEW_CHANNEL"])  # a private channel is no mistake
    finding = (await asked(settings))["server"]
    assert finding.verdict is Verdict.WARN
    assert "in 1 of 2 channels" in finding.message
    assert "#gallery (Send Messages in Threads, Attach Files)" in finding.message
    assert "after-dark" not in finding.message
    assert "general" not in finding.message


@pytest.mark.parametrize("permission", ["ATTACH_FILES", "VIEW_CHANNEL"])
async def test_a_server_in_which_nothing_can_be_answered_fails(
    playground: PlaygroundClient, settings: Settings, permission: str
) -> None:
    for channel in CHANNELS:
        await playground.set_permissions(channel, deny=[permission])
    finding = (await asked(settings))["server"]
    assert finding.verdict is Verdict.FAIL
    assert {"ATTACH_FILES": "Attach Files", "VIEW_CHANNEL": "View Channels"}[permission] in finding.message
    assert "invite" in await asked(settings)


async def test_a_server_that_cannot_be_examined_does_not_hide_the_rest(
    playground: PlaygroundClient, settings: Settings
) -> None:
    await playground.add_fault("/guilds/[0-9]+/channels$", status=403, times=None)
    found = await asked(settings)
    assert found["server"].verdict is Verdict.WARN
    assert "403" in found["server"].message
    assert "invite" in found


@pytest.mark.parametrize(
    ("setup", "check", "verdict", "words"),
    [
        ({"bot_public": False}, "application", Verdict.OK, "only its owner"),
        ({"interactions_endpoint_url": "https://example.org/x"}, "application", Verdict.FAIL, "never reach this bot"),
        ({"bot_require_code_grant": True}, "installation", Verdict.FAIL, "code grant"),
        ({"integration_types_config": {"1": {}}}, "installation", Verdict.FAIL, "cannot be added to servers"),
        (
            {"integration_types_config": {"0": {"oauth2_install_params": {
                "scopes": ["applications.commands"], "permissions": "2048"}}}},
            "installation", Verdict.WARN, "the scope bot, View Channels",
        ),
        (
            {"integration_types_config": {"0": {"oauth2_install_params": {
                "scopes": ["bot", "applications.commands"], "permissions": "8"}}}},
            "installation", Verdict.OK, "asks for what is needed",
        ),
        ({"flags": 1 << 12 | 1 << 15}, "intents", Verdict.OK, "Server Members, Presence: on but not needed"),
    ],
)  # fmt: skip
async def test_the_application_is_read(
    playground: PlaygroundClient,
    settings: Settings,
    setup: dict[str, Any],
    check: str,
    verdict: Verdict,
    words: str,
) -> None:
    await playground.set_application(setup)
    finding = (await asked(settings))[check]
    assert finding.verdict is verdict
    assert words in finding.message


async def test_an_intent_that_is_on_is_told_as_not_needed(playground: PlaygroundClient, settings: Settings) -> None:
    await playground.set_privileged_intents(1 << 15)
    assert "Message Content: on but not needed" in (await asked(settings))["intents"].message


async def test_a_clock_that_is_off_is_told(settings: Settings) -> None:
    # A server of its own, because a clock that was advanced never goes back.
    async with PlaygroundServer(unjudged=True) as server:
        await server.client.advance_clock(3600)
        there = {"discord_token": SecretStr(server.token), "discord_api_url": HttpUrl(server.api_url)}
        finding = (await asked(changed(settings, **there)))["clock"]
    assert finding.verdict is Verdict.WARN
    assert "behind" in finding.message
