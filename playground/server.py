"""The stand-in as a process: ``python -m playground.server``.

Prints one line of JSON when it is ready, and ends on SIGTERM, on SIGINT or, with ``--until-stdin-closes``, when its
stdin closes instead of on SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from playground.app import build_app, build_playground
from playground.judge import Judge
from playground.limits import ACKNOWLEDGE_SECONDS
from playground.openapi_document import find_openapi_document


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m playground.server", description="A local stand-in for Discord.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--openapi", type=Path, help="Discord's OpenAPI document; found or downloaded if not given")
    parser.add_argument("--data-dir", type=Path, help="where a downloaded document is kept (default: the user's cache)")
    parser.add_argument("--bot-name", default="Bot", help="name of the bot's user (default: Bot)")
    parser.add_argument(
        "--unjudged", action="store_true", help="do not check bodies against Discord's OpenAPI document"
    )
    parser.add_argument(
        "--judge-answers", action="store_true", help="record the stand-in's own answers that violate the document"
    )
    parser.add_argument(
        "--acknowledge-seconds",
        type=float,
        default=ACKNOWLEDGE_SECONDS,
        help="how long the bot may take to acknowledge an interaction; Discord allows 3 (default), tests may need more",
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when stdin closes")
    return parser


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    if arguments.unjudged:
        judge = Judge(None, reason="it was started with --unjudged")
    else:
        found = await asyncio.to_thread(find_openapi_document, arguments.openapi, cache_folder=arguments.data_dir)
        judge = Judge(found.document, reason=found.reason)
    if not judge.active and not arguments.unjudged:
        print(f"Nothing is checked against Discord's OpenAPI document: {judge.reason}", file=sys.stderr, flush=True)
    playground = build_playground(
        judge,
        bot_name=arguments.bot_name,
        judges_answers=arguments.judge_answers,
        acknowledge_seconds=arguments.acknowledge_seconds,
    )
    runner = web.AppRunner(build_app(playground), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", arguments.port)
    try:
        await site.start()
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        reason = (os.strerror(error.errno or 0) if isinstance(error, OSError) else "there is no such port").lower()
        raise SystemExit(f"Port {arguments.port} of this machine cannot be used: {reason}.") from None
    host, port = runner.addresses[0][:2]
    playground.address = playground.files.origin = f"http://{host}:{port}"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows event loops have no signal handlers; Ctrl+C still interrupts
            loop.add_signal_handler(number, stop.set)
    if arguments.until_stdin_closes:
        # Ctrl+C in a terminal also reaches the parent and its bot, which has to disconnect first, so this ends last.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # A daemon thread: waiting for stdin must not keep the process alive.
        threading.Thread(target=_wait_for_end_of_stdin, args=(loop, stop), daemon=True).start()
    ready = {
        "address": playground.address,
        "api_url": playground.api_url,
        "gateway_url": playground.gateway_url,
        "cdn_host": f"{host}:{port}",
        "token": playground.world.token,
        "judged": judge.active,
        "unjudged_reason": judge.reason,
    }
    print(json.dumps(ready), flush=True)
    try:
        await stop.wait()
    finally:
        playground.gateway.drop()
        await runner.cleanup()


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not sys.stdin: a daemon thread would hold its lock at interpreter shutdown, which crashes it.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with suppress(RuntimeError):  # the loop may already be closed
        loop.call_soon_threadsafe(stop.set)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stand-in from the command line."""
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(build_parser().parse_args(argv)))


if __name__ == "__main__":
    main()
