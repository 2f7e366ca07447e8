"""The ``check`` command: run all checks and print their findings."""

import asyncio
import dataclasses
import json
import logging
from collections.abc import Iterator, Sequence

from pydantic import SecretStr

from bot.checks.connection import discord_findings
from bot.checks.findings import Finding, Verdict, fail, ok, warn
from bot.checks.machine import cache_finding, data_dir_finding, machine_findings, model_finding
from bot.checks.safety import safety_finding
from bot.logs import set_up_logging
from bot.settings import Settings, is_env_file_open, unused_settings
from generation.errors import ExecutorError
from generation.executors.probe import ProbedDevice, probe_device
from generation.models.catalog import Catalog, load_catalog
from generation.safety.checker import PictureChecker
from generation.settings import WrongSettings, read_settings


def check(*, as_json: bool) -> int:
    """Run all checks and print one line (or JSON object) per finding; return 0 if nothing failed, else 1."""
    try:
        settings = read_settings(Settings)
    except WrongSettings as error:
        found = [fail("settings", str(error), "Correct it: .env.example explains every setting.")]
    else:
        set_up_logging(secrets=[secret.get_secret_value() for secret in _secrets(settings)])
        # The findings say what is wrong; the library's log lines, such as that voice is unavailable, are noise.
        logging.getLogger("discord").setLevel(logging.ERROR)
        found = asyncio.run(run_checks(settings))
    return print_findings(found, as_json=as_json)


def print_findings(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print the findings; return 1 if one of them keeps the bot from working, else 0."""
    for finding in findings:
        print(json.dumps(dataclasses.asdict(finding)) if as_json else finding.line())
    return 1 if any(finding.verdict is Verdict.FAIL for finding in findings) else 0


def _secrets(settings: Settings) -> Iterator[SecretStr]:
    yield from (secret for secret in (settings.discord_token, settings.hf_token) if secret is not None)


async def run_checks(settings: Settings) -> list[Finding]:
    """Return all findings about these settings; Discord and torch are probed concurrently."""
    async with asyncio.TaskGroup() as group:
        probing = group.create_task(_probe(settings))
        asking = group.create_task(discord_findings(settings))
        looking = group.create_task(safety_finding(PictureChecker()))
    catalog, findings = _catalog(settings)
    findings += [*asking.result(), data_dir_finding(settings), cache_finding()]
    if catalog is not None:
        findings.append(model_finding(settings, catalog))
    return [*findings, looking.result(), *await machine_findings(settings, catalog, probing.result())]


async def _probe(settings: Settings) -> ProbedDevice | Exception:
    try:
        return await probe_device(settings.device, settings.dtype, settings.max_vram)
    except ExecutorError as error:
        return error


def _settings_finding() -> Finding:
    unused = unused_settings()
    if not unused and is_env_file_open():
        return warn(
            "settings", "Other accounts on this machine can read .env and the token in it.", "Run chmod 600 .env."
        )
    if not unused:
        return ok("settings", "The environment and .env can be read.")
    remedies = " ".join(f"{name}: {remedy}" for name, remedy in unused.items())
    return warn("settings", f"{', '.join(unused)} {'has' if len(unused) == 1 else 'have'} no effect in .env.", remedies)


def _catalog(settings: Settings) -> tuple[Catalog | None, list[Finding]]:
    try:
        return load_catalog(settings.models_file), [_settings_finding()]
    except ValueError as error:
        return None, [fail("settings", str(error), "Correct the file, or leave MODELS_FILE empty.")]
