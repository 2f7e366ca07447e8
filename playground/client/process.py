"""A stand-in as a process of its own, which ends whichever way the program that started it ends."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from playground.limits import ACKNOWLEDGE_SECONDS

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 5.0
REPOSITORY = Path(__file__).resolve().parents[2]


class ServerEnded(Exception):
    """A stand-in ended before it was ready; its own output says why."""


class ServerProcess:
    """A ``python -m playground.server`` process; it ends when stdin closes, so it does not outlive a killed parent."""

    def __init__(
        self,
        *,
        port: int = 0,
        bot_name: str = "Bot",
        judge_answers: bool = False,
        unjudged: bool = False,
        openapi: Path | None = None,
        data_dir: Path | None = None,
        acknowledge_seconds: float = ACKNOWLEDGE_SECONDS,
    ) -> None:
        self._arguments = ["--port", str(port), "--bot-name", bot_name]
        self._arguments += ["--acknowledge-seconds", str(acknowledge_seconds)]
        self._arguments += ["--judge-answers"] if judge_answers else []
        self._arguments += ["--unjudged"] if unjudged else []
        self._arguments += ["--openapi", str(openapi)] if openapi else []
        self._arguments += ["--data-dir", str(data_dir)] if data_dir else []
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""
        self.api_url = ""
        self.gateway_url = ""
        self.cdn_host = ""
        self.token = ""
        self.judged = False
        self.unjudged_reason: str | None = None

    async def start(self) -> None:
        """Start the process and return once it is ready. Raises ServerEnded if it ends before that."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "playground.server",
            "--until-stdin-closes",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_TIMEOUT_SECONDS)
            if not line:
                raise ServerEnded(f"the stand-in ended with status {await self._process.wait()} before it was ready")
        except BaseException:
            await self.stop()
            raise
        ready = json.loads(line)
        self.address = ready["address"]
        self.api_url = ready["api_url"]
        self.gateway_url = ready["gateway_url"]
        self.cdn_host = ready["cdn_host"]
        self.token = ready["token"]
        self.judged = ready["judged"]
        self.unjudged_reason = ready["unjudged_reason"]

    async def stop(self) -> None:
        """Stop the process, and kill it if it does not end in time."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def bot_environment(self) -> dict[str, str]:
        """Return the environment variables that point an unmodified bot at this stand-in."""
        return {
            "DISCORD_TOKEN": self.token,
            "DISCORD_API_URL": self.api_url,
            "DISCORD_GATEWAY_URL": self.gateway_url,
            "ATTACHMENT_HOSTS": self.cdn_host,
        }
