"""Checks that need Discord: the token, the application, the servers, the clock."""

import asyncio
import contextlib
import time
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp
import discord

from bot.checks.application import (
    application_finding,
    installation_finding,
    intents_finding,
    invite_finding,
    user_installs_finding,
)
from bot.checks.findings import Finding, fail, ok, warn
from bot.checks.servers import server_findings
from bot.client import INTENTS
from bot.discord_api.address import point_library_at
from bot.settings import Settings

_TIMEOUT_SECONDS = 90.0
_CLOCK_TOLERANCE_SECONDS = 30.0


async def discord_findings(settings: Settings) -> list[Finding]:
    """Log in as the bot would, without connecting to the gateway, and report what was found."""
    if settings.discord_token is None:
        return [
            fail(
                "token",
                "DISCORD_TOKEN is not set.",
                "Put the bot's token into .env: https://discord.com/developers/applications → Bot → Reset Token.",
            )
        ]
    point_library_at(str(settings.discord_api_url) if settings.discord_api_url else None, None)
    ours = _ClockReader()
    findings: list[Finding] = []
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            discord.Client(intents=INTENTS, http_trace=ours.trace) as client,
        ):
            await client.login(settings.discord_token.get_secret_value())
            findings.append(ok("token", f"Discord accepts it. The bot is {client.user}."))
            findings.append(ours.finding())
            application = client.application
            assert application is not None, "the login has asked for it"
            findings += [application_finding(application), installation_finding(application)]
            if settings.user_installs:
                findings.append(user_installs_finding(application))
            findings.append(intents_finding(application))
            findings += await server_findings(client)
            findings.append(invite_finding(application))
    except discord.LoginFailure:
        findings.append(
            fail(
                "token",
                "Discord does not accept DISCORD_TOKEN.",
                "Copy it again from the Bot page of your application; do not take the client secret or the public key.",
            )
        )
    except discord.HTTPException as error:
        findings.append(
            fail(
                "discord",
                f"Discord answers with status {error.status}.",
                "See https://discordstatus.com and try again later.",
            )
        )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        findings.append(
            fail(
                "discord",
                f"Discord cannot be reached from here ({type(error).__name__}).",
                "Check this machine's network and DISCORD_API_URL; the bot does not use a proxy.",
            )
        )
    return findings


class _ClockReader:
    """Compares this machine's clock with the ``Date`` header of Discord's responses."""

    def __init__(self) -> None:
        self._ahead_seconds: float | None = None
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_end.append(self._read)

    async def _read(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        with contextlib.suppress(KeyError, ValueError):  # the header is absent or unreadable
            theirs = parsedate_to_datetime(params.response.headers["Date"]).timestamp()
            self._ahead_seconds = time.time() - theirs

    def finding(self) -> Finding:
        if self._ahead_seconds is None:
            return ok("clock", "Discord did not say what time it is.")
        if abs(self._ahead_seconds) <= _CLOCK_TOLERANCE_SECONDS:
            return ok("clock", "This machine's clock agrees with Discord's.")
        direction = "ahead of" if self._ahead_seconds > 0 else "behind"
        return warn(
            "clock",
            f"This machine's clock is {abs(self._ahead_seconds):.0f} seconds {direction} Discord's.",
            "Switch time synchronisation on: request ids and all times that are shown come from this clock.",
        )
