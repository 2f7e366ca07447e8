"""``python -m bot check`` against the stand-in, over real sockets."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from discord.http import Route
from pydantic import HttpUrl, SecretStr
from yarl import URL

from bot.checks.application import NEEDED_PERMISSIONS
from bot.checks.command import tell
from bot.checks.connection import discord_findings
from bot.checks.findings import Finding, Verdict, fail, ok, warn
from bot.checks.machine import cache_finding, data_dir_finding, machine_findings, model_finding
from bot.checks.safety import safety_finding
from bot.settings import Settings
from bot.storage.database import DATABASE_NAME, Database
from generation.device_probe import ProbedDevice
from generation.errors import ExecutorError
from generation.models.adapters import adapters_of
from generation.models.catalog import REPOSITORY, Catalog, load_catalog
from generation.safety.checker import PictureChecker
from generation.settings import PACKAGED_MODELS_FILE
from playground.client import PlaygroundClient, PlaygroundServer
from tests.tiny_adapters import save_tiny_adapter

GIBIBYTE = 2**30
CHANNELS = ("general", "gallery", "after-dark")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[PlaygroundServer]:
    async with PlaygroundServer(judge_answers=True) as server:
        yield server


@pytest.fixture
async def playground(server: PlaygroundServer) -> AsyncIterator[PlaygroundClient]:
    async with PlaygroundClient(server.address) as client:
        known = len((await client.stats())["violations"])
        yield client
        await client.clear_faults()
        await client.set_application({})
        await client.set_privileged_intents(0)
        for channel in CHANNELS:
            await client.set_permissions(channel)
        assert (await client.stats())["violations"][known:] == []


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


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog(PACKAGED_MODELS_FILE)


def changed(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update=changes)


async def asked(settings: Settings) -> dict[str, Finding]:
    """Return what is found at Discord by the name of the check; each has one finding here."""
    findings = await discord_findings(settings)
    token = settings.discord_token.get_secret_value() if settings.discord_token else "nothing"
    assert not any(token in finding.line() for finding in findings)
    assert all(finding.remedy for finding in findings if finding.verdict is not Verdict.OK)
    assert len({finding.check for finding in findings}) == len(findings)
    return {finding.check: finding for finding in findings}


# Discord


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
    await playground.set_permissions("after-dark", deny=["VIEW_CHANNEL"])  # a private channel is nobody's mistake
    finding = (await asked(settings))["server"]
    assert finding.verdict is Verdict.WARN
    assert "in 1 channel of 2" in finding.message
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
        ({"flags": 1 << 12 | 1 << 15}, "intents", Verdict.OK, "Server Members, Presence: on, and not needed"),
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
    assert "Message Content: on, and not needed" in (await asked(settings))["intents"].message


async def test_a_clock_that_is_off_is_told(settings: Settings) -> None:
    async with PlaygroundServer(unjudged=True) as server:  # a clock that was moved forward never goes back
        await server.client.advance_clock(3600)
        there = {"discord_token": SecretStr(server.token), "discord_api_url": HttpUrl(server.api_url)}
        finding = (await asked(changed(settings, **there)))["clock"]
    assert finding.verdict is Verdict.WARN
    assert "behind" in finding.message


# The machine


def test_a_data_folder_that_can_be_written_is_left_as_it_was(settings: Settings) -> None:
    finding = data_dir_finding(settings)
    assert (finding.verdict, finding.check) == (Verdict.OK, "data")
    assert not settings.data_dir.exists()


def test_a_data_folder_that_cannot_be_written_fails(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    finding = data_dir_finding(changed(settings, data_dir=tmp_path / "file" / "data"))
    assert finding.verdict is Verdict.FAIL
    assert "DATA_DIR" in finding.remedy


@pytest.mark.parametrize(("is_newer", "words"), [(True, "newer version"), (False, "cannot be read")])
async def test_a_database_that_cannot_be_used_fails(settings: Settings, is_newer: bool, words: str) -> None:
    async with Database(settings.data_dir) as database:
        await database.run(lambda connection: connection.execute("PRAGMA user_version = 1000"))
    database_file = settings.data_dir / DATABASE_NAME
    if not is_newer:
        database_file.write_text("something else" * 100)
    before = sorted(settings.data_dir.iterdir()), database_file.read_bytes()
    finding = data_dir_finding(settings)
    assert finding.verdict is Verdict.FAIL
    assert words in finding.message
    assert (sorted(settings.data_dir.iterdir()), database_file.read_bytes()) == before


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("bot.checks.machine.cache_folder", lambda: tmp_path / "file" / "hub")
    finding = cache_finding()
    assert finding.verdict is Verdict.WARN
    assert "HF_HOME" in finding.remedy


async def test_a_data_folder_of_a_running_bot_is_told(settings: Settings) -> None:
    async with Database(settings.data_dir):
        finding = data_dir_finding(settings)
        assert finding.verdict is Verdict.WARN
        assert "A bot is working" in finding.message
    assert data_dir_finding(settings).verdict is Verdict.OK


def test_a_full_disk_is_told(settings: Settings) -> None:
    finding = data_dir_finding(changed(settings, spool_max_bytes=2**60))
    assert finding.verdict is Verdict.WARN
    assert "SPOOL_MAX_BYTES" in finding.remedy


def test_the_model_of_this_repository_is_here(settings: Settings, catalog: Catalog) -> None:
    assert model_finding(settings, catalog).verdict is Verdict.OK


def test_an_adapter_that_is_not_here_is_told(settings: Settings, catalog: Catalog, tmp_path: Path) -> None:
    rows = {"ink": {"hub": "a/ink"}, "clay": {"file": str(tmp_path / "clay.safetensors")}}
    adapters = adapters_of(rows, model="demo", root=tmp_path)
    finding = model_finding(settings, Catalog({"demo": dataclasses.replace(catalog["demo"], adapters=adapters)}))
    assert finding.verdict is Verdict.WARN
    assert "adapter ink of demo is not downloaded yet" in finding.message
    assert "clay.safetensors" in finding.message


@pytest.mark.parametrize("half", [True, False])
def test_an_adapter_that_is_none_is_told(settings: Settings, catalog: Catalog, tmp_path: Path, half: bool) -> None:
    file = save_tiny_adapter(tmp_path, seed=0)
    adapters = adapters_of({"ink": {"file": str(file)}}, model="demo", root=tmp_path)
    ours = Catalog({"demo": dataclasses.replace(catalog["demo"], adapters=adapters)})
    assert model_finding(settings, ours).verdict is Verdict.OK
    file.write_bytes(file.read_bytes()[:-1] if half else b"<!DOCTYPE html>" * 100)
    finding = model_finding(settings, ours)
    assert finding.verdict is Verdict.WARN
    assert f"The file {file.name} of the adapter ink of demo is none of safetensors" in finding.message


def test_a_model_that_is_unknown_or_gone_fails(settings: Settings, catalog: Catalog, tmp_path: Path) -> None:
    unknown = model_finding(changed(settings, model="sd-trubo"), catalog)
    assert unknown.verdict is Verdict.FAIL
    assert "sd-turbo" in unknown.message
    gone = Catalog({"demo": dataclasses.replace(catalog["demo"], folder=tmp_path / "nowhere")})
    assert model_finding(settings, gone).verdict is Verdict.FAIL


def test_a_model_that_is_not_here_comes_with_the_command_that_fetches_it(settings: Settings, catalog: Catalog) -> None:
    entry = dataclasses.replace(catalog["sd-turbo"], memory_bytes=1)
    chosen = changed(settings, model="sd-turbo")
    finding = model_finding(chosen, Catalog({"sd-turbo": entry}))
    assert finding.verdict is Verdict.WARN
    assert "python -m generation download sd-turbo" in finding.remedy
    too_large = model_finding(chosen, Catalog({"sd-turbo": dataclasses.replace(entry, memory_bytes=2**60)}))
    assert too_large.verdict is Verdict.FAIL
    assert "HF_HOME" in too_large.remedy
    gated = model_finding(chosen, Catalog({"sd-turbo": dataclasses.replace(entry, gated=True)}))
    assert gated.verdict is Verdict.FAIL
    assert all(word in gated.line() for word in (entry.licence, f"https://huggingface.co/{entry.hub_id}", "HF_TOKEN"))
    with_token = changed(chosen, hf_token=SecretStr("hf_x"))
    assert model_finding(with_token, Catalog({"sd-turbo": dataclasses.replace(entry, gated=True)})).verdict is (
        Verdict.WARN
    )


def card(gibibytes: float) -> ProbedDevice:
    return ProbedDevice(
        device="cuda", dtype="bfloat16", name="Some Card", memory_bytes=round(gibibytes * GIBIBYTE), torch="2.13.0"
    )


async def test_the_card_decides_which_model_is_recommended(settings: Settings, catalog: Catalog) -> None:
    _, device, advice = await machine_findings(settings, catalog, card(12))
    assert "Some Card with 12.0 GiB" in device.message
    assert (advice.verdict, "MODEL=stable-diffusion-xl" in advice.message) == (Verdict.OK, True)
    *_, advice = await machine_findings(changed(settings, model="z-image-turbo"), catalog, card(12))
    assert (advice.verdict, "MODEL=stable-diffusion-xl" in advice.remedy) == (Verdict.WARN, True)
    *_, advice = await machine_findings(changed(settings, model="z-image-turbo"), catalog, card(24))
    assert (advice.verdict, "is the best model" in advice.message) == (Verdict.OK, True)
    assert "by the catalog's figures" in advice.message


async def test_a_model_that_is_here_is_measured_by_its_files(settings: Settings, catalog: Catalog) -> None:
    wrong = Catalog({**catalog, "demo": dataclasses.replace(catalog["demo"], memory_bytes=2**60)})
    *_, advice = await machine_findings(changed(settings, model="demo"), wrong, card(12))
    assert advice.verdict is Verdict.OK
    gone = Catalog({**wrong, "demo": dataclasses.replace(wrong["demo"], folder=None, hub_id="a/demo")})
    *_, advice = await machine_findings(changed(settings, model="demo"), gone, card(12))
    assert (advice.verdict, "by the catalog" in advice.message) == (Verdict.WARN, True)
    smallest = dataclasses.replace(catalog["sd-turbo"], memory_bytes=1)
    *_, advice = await machine_findings(
        changed(settings, model="demo"), Catalog({**catalog, "sd-turbo": smallest}), card(0.01)
    )
    assert (advice.verdict, "by the catalog" in advice.message) == (Verdict.WARN, False)


async def test_a_device_that_cannot_be_used_fails(settings: Settings, catalog: Catalog) -> None:
    *_, device = await machine_findings(settings, catalog, ExecutorError("DEVICE is cuda, but there is none"))
    assert device.verdict is Verdict.FAIL
    assert "DEVICE is cuda" in device.message


# All of it


def check(tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", "check"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(tmp_path / "data"), **changes}
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_a_good_set_up_ends_with_0_and_a_line_a_finding(
    server: PlaygroundServer, playground: PlaygroundClient, tmp_path: Path
) -> None:
    done = check(tmp_path, **server.bot_environment(), DEVICE="cpu", MODEL="demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert all(line.split(maxsplit=1)[0] in ("ok", "warn") for line in done.stdout.splitlines())
    assert "computes on cpu" in done.stdout
    assert server.token not in done.stdout


def test_a_setting_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    done = check(tmp_path, MAX_COUNT="many")
    assert done.returncode == 1
    assert done.stdout.startswith("fail  settings: MAX_COUNT")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe without a reader is another error there")
def test_a_reader_who_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bot", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "SLOTS": "0"},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_only_what_failed_makes_the_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    fine, poor = ok("token", "Discord accepts it."), warn("clock", "The clock is off.", "Set it.")
    broken = fail("data", "The folder cannot be written.", "Set DATA_DIR.")
    assert tell([fine, poor], as_json=False) == 0
    assert capsys.readouterr().out == "ok    token: Discord accepts it.\nwarn  clock: The clock is off. Set it.\n"
    assert tell([fine, broken], as_json=True) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"check": "token", "verdict": "ok", "message": "Discord accepts it.", "remedy": ""}
    assert (second["verdict"], second["remedy"]) == ("fail", "Set DATA_DIR.")


async def test_pictures_can_be_checked_or_it_is_said() -> None:
    assert (await safety_finding(PictureChecker())).verdict is Verdict.OK
    absent = await safety_finding(PictureChecker(worker="tests.no_such_module"))
    assert absent.verdict is Verdict.FAIL
    assert "not_started" in absent.message
