"""``python -m bot``: connect to Discord and work until told to stop.

``python -m bot check`` only examines the setup; ``backup`` and ``restore`` save and restore the bot's data.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import aiohttp
import discord

from bot.checks.command import check
from bot.client import Palimpsest
from bot.discord_api.address import point_library_at
from bot.discord_api.sessions import identify_without_a_session
from bot.logs import log_unhandled_error, set_up_logging
from bot.monitoring.gauges import Gauges
from bot.monitoring.metrics import Metrics
from bot.monitoring.server import Monitoring
from bot.settings import Settings, unused_settings
from bot.storage.backup import BackupRefused, back_up, back_up_to, restore, restore_from
from bot.storage.database import Database, DataInUse
from bot.storage.facts import Facts
from bot.storage.migrations import DatabaseTooNew
from bot.storage.trouble import StorageTrouble
from bot.time_slices import request_short_time_slices
from generation.errors import ModelUnavailable
from generation.executors.child import DIFFUSERS_ENGINE, ChildExecutor
from generation.images.decoder import ImageDecoder
from generation.models.catalog import Catalog, load_catalog
from generation.safety.checker import PictureChecker
from generation.sentences import error_sentence
from generation.settings import WrongSettings, read_settings

log = logging.getLogger("bot")

EXIT_OK, EXIT_FAILURE, EXIT_BAD_SETTINGS = 0, 1, 2
LAST_SECONDS = 5.5  # for the final messages and the disconnect, after the grace period of running jobs


async def serve(settings: Settings, token: str, catalog: Catalog, *, engine: str) -> None:
    """Open everything, run until SIGTERM, SIGINT or a fatal error from Discord, close everything.

    ``engine`` is what generates in the executor's process, as ``module:function``.
    """
    asyncio.get_running_loop().set_exception_handler(log_unhandled_error)
    api_url = str(settings.discord_api_url) if settings.discord_api_url else None
    point_library_at(api_url, settings.discord_gateway_url)
    identify_without_a_session()
    metrics = Metrics()
    executor = ChildExecutor(settings.for_child(), engine=engine)
    async with (
        Database(settings.data_dir, observe_seconds=metrics.database_commit_seconds.observe) as database,
        ImageDecoder() as decoder,
        PictureChecker() as checker,
        aiohttp.ClientSession() as session,
        Palimpsest(
            settings,
            database=database,
            catalog=catalog,
            decoder=decoder,
            checker=checker,
            executor=executor,
            session=session,
            metrics=metrics,
        ) as client,
        Monitoring(
            metrics,
            Gauges(client, executor.process),
            write=partial(Facts(database).set, "last_health_check", "done"),
            host=settings.monitoring_host,
            port=settings.monitoring_port,
        ),
    ):
        stop_on_signals(client, gone_after_seconds=settings.shutdown_grace_seconds + LAST_SECONDS)
        try:
            await client.start(token)
        except Exception:
            if not client.is_closing:  # otherwise closing has interrupted the login
                raise


def leave_no_core_dumps() -> None:
    """Disable core dumps of the bot's processes: their memory has prompts, pictures and tokens in it."""
    if os.name == "posix":
        import resource  # exists on Unix only

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # inherited by every child process


def stop_on_signals(client: Palimpsest, *, gone_after_seconds: float) -> None:
    """Close the client on SIGTERM and SIGINT; a second signal changes nothing.

    If the bot is still running ``gone_after_seconds`` after the first signal, it exits and the next start recovers, as
    after a crash.
    """
    loop = asyncio.get_running_loop()
    closing: list[asyncio.Task[None]] = []

    def close() -> None:
        if not closing:
            closing.append(asyncio.create_task(client.close()))
            loop.call_later(gone_after_seconds, force_exit)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, close)
        except NotImplementedError:  # Windows: Ctrl+C then ends asyncio.run, which closes the client too
            return


def force_exit() -> None:
    """Exit at once: no promise depends on an orderly shutdown."""
    log.error("the bot did not shut down in time; open requests continue after the next start")
    os._exit(EXIT_FAILURE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bot, or the given command instead; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bot", description="Without a command, run the bot.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    checking = commands.add_parser("check", help="check the token, application, servers, model and machine")
    checking.add_argument("--json", action="store_true", help="print one JSON object per finding")
    backing_up = commands.add_parser(
        "backup", help="write the database and pictures to a file, whether or not the bot is running"
    )
    backing_up.add_argument(
        "file", type=Path, metavar="FILE", help="a new file, such as palimpsest.tar, or - for a pipe"
    )
    restoring = commands.add_parser("restore", help="restore a backup into an empty data folder")
    restoring.add_argument("file", type=Path, metavar="FILE", help="a file written by backup, or - for a pipe")
    options = parser.parse_args(arguments)
    match options.command:
        case "check":
            return check(as_json=options.json)
        case "backup" | "restore":
            return back_up_or_restore(options.command, options.file)
        case _:
            return run()


def back_up_or_restore(command: str, file: Path) -> int:
    """Back up or restore; return the exit status."""
    try:
        data_dir = read_settings(Settings).data_dir
    except WrongSettings as error:
        return refuse(str(error))
    try:
        is_pipe = file == Path("-")
        if command == "backup":
            count = back_up_to(sys.stdout.buffer, data_dir) if is_pipe else back_up(data_dir, file)
            print(f"{file}: {count:,} bytes", file=sys.stderr if is_pipe else sys.stdout)
        else:
            if is_pipe:
                restore_from(sys.stdin.buffer, data_dir)
            else:
                restore(file, data_dir)
            print(f"{data_dir} now holds what was in {file}. Start the bot, and it will continue from there.")
    except BackupRefused as error:
        return refuse(str(error))
    except OSError as error:
        place = error.filename or (file if command == "backup" else data_dir)
        print(f"The {command} failed: {error.strerror} ({place})", file=sys.stderr)
        return EXIT_FAILURE
    return EXIT_OK


def run(*, engine: str = DIFFUSERS_ENGINE) -> int:
    """Run the bot with this engine in the executor's process; return the exit status."""
    try:
        settings = read_settings(Settings)
        catalog = load_catalog(settings.models_file)
        catalog.find(settings.model)
    except (WrongSettings, ValueError) as error:
        return refuse(str(error))
    except ModelUnavailable as error:
        return refuse(error_sentence(error))
    if settings.discord_token is None:
        return refuse("DISCORD_TOKEN is not set: put it in .env, or try `python -m playground`, which needs none.")
    token = settings.discord_token.get_secret_value()
    secrets = [token, settings.hf_token.get_secret_value() if settings.hf_token else ""]
    set_up_logging(secrets=secrets, log_format=settings.log_format)
    leave_no_core_dumps()
    request_short_time_slices()
    for name, remedy in unused_settings().items():
        log.warning("%s in .env has no effect. %s", name, remedy)
    try:
        asyncio.run(serve(settings, token, catalog, engine=engine))
    except KeyboardInterrupt:
        return EXIT_OK
    except StorageTrouble as error:
        log.error("DATA_DIR, %s, cannot be used (%s)", settings.data_dir, error)
        return EXIT_FAILURE
    except DataInUse:
        return refuse(f"Another bot is using {settings.data_dir}: stop it first, or set DATA_DIR.")
    except DatabaseTooNew:
        return refuse(f"The database in {settings.data_dir} comes from a newer version: update this program.")
    except discord.LoginFailure:
        return refuse("Discord does not accept DISCORD_TOKEN: copy it again from the Bot page of your application.")
    except discord.PrivilegedIntentsRequired:
        return refuse("Discord refuses the intents, although this program needs none of the privileged ones.")
    except (aiohttp.ClientError, discord.GatewayNotFound, OSError) as error:
        log.error("Discord cannot be reached (%s): check this machine's network", type(error).__name__)
        return EXIT_FAILURE
    except discord.ConnectionClosed as error:
        log.error("Discord closed the connection with code %s", error.code)
        return EXIT_FAILURE
    except discord.HTTPException as error:
        log.error("Discord answers with status %d; https://discordstatus.com may know more", error.status)
        return EXIT_FAILURE
    except Exception:
        log.exception("the bot crashed")
        return EXIT_FAILURE
    return EXIT_OK


def refuse(sentence: str) -> int:
    """Print why there is nothing to run; return the exit status."""
    print(sentence, file=sys.stderr)
    return EXIT_BAD_SETTINGS
