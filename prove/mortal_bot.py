"""The real bot, except that it can die at a chosen moment as if by ``kill -9``, and that its engine needs no model.

    python -m prove.mortal_bot --quick --die-at rendered

The bot itself knows nothing of this: its functions are wrapped here, before it starts.
"""

import argparse
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from bot.main import run

QUICK_ENGINE = "prove.mortal_engine:create_engine"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a job's life: just before, or just after, a function of the bot does its work.

    ``call`` says at which call of the function, counting from 1.
    """

    when: str
    module: str
    function: str
    call: int = 1


# In the order of a job's life. Between two of them, nothing changes that would outlive the process.
MOMENTS = {
    "asked": Moment("before", "bot.storage.jobs", "Jobs.accept"),
    "written": Moment("after", "bot.storage.jobs", "Jobs.accept"),
    "told": Moment("before", "bot.storage.jobs", "Jobs.set_status_message"),
    "told and written": Moment("after", "bot.storage.jobs", "Jobs.set_status_message"),
    "fetched": Moment("after", "bot.jobs.attachments", "AttachmentDownloads.fetch"),
    "decoded": Moment("after", "generation.images.decoder", "ImageDecoder.decode"),
    "stored": Moment("before", "bot.storage.jobs", "Jobs.enqueue"),
    "promised": Moment("after", "bot.storage.jobs", "Jobs.enqueue"),
    "handed over": Moment("before", "bot.storage.jobs", "Jobs.begin"),
    "running": Moment("after", "bot.storage.jobs", "Jobs.begin"),
    "painting": Moment("after", "bot.jobs.progress", "ProgressTracker.show_step", 3),
    "painted": Moment("before", "bot.storage.jobs", "Jobs.render"),
    "rendered": Moment("after", "bot.storage.jobs", "Jobs.render"),
    "sending": Moment("before", "bot.jobs.delivery", "Delivery._send"),
    "sent": Moment("after", "bot.jobs.delivery", "Delivery._send"),
    "delivered": Moment("after", "bot.storage.jobs", "Jobs.deliver"),
    "settled": Moment("after", "bot.jobs.progress", "ProgressTracker.settle"),
}


def die_at(moment: Moment) -> None:
    """Make this process die when the moment comes."""
    names = moment.function.split(".")
    owner: Any = importlib.import_module(moment.module)
    for name in names[:-1]:
        owner = getattr(owner, name)
    function: Callable[..., Any] = getattr(owner, names[-1])
    calls = 0

    def is_now() -> bool:
        nonlocal calls
        calls += 1
        return calls == moment.call

    @wraps(function)
    async def waited_for(*arguments: Any, **options: Any) -> Any:
        now = is_now()
        if now and moment.when == "before":
            die()
        result = await function(*arguments, **options)
        if now:
            die()
        return result

    @wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        now = is_now()
        if now and moment.when == "before":
            die()
        result = function(*arguments, **options)
        if now:
            die()
        return result

    setattr(owner, names[-1], waited_for if inspect.iscoroutinefunction(function) else called)


def die() -> None:
    """Die as if by ``kill -9``: nothing is written, closed or said any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bot; return its exit status, if it lives long enough to have one."""
    parser = argparse.ArgumentParser(prog="python -m prove.mortal_bot")
    parser.add_argument("--die-at", choices=MOMENTS, metavar="MOMENT", help=", ".join(MOMENTS))
    parser.add_argument("--quick", action="store_true", help="paint without a model")
    options = parser.parse_args(arguments)
    if options.die_at:
        die_at(MOMENTS[options.die_at])
    return run(engine=QUICK_ENGINE) if options.quick else run()


if __name__ == "__main__":
    sys.exit(main())
