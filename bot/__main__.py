"""Entry point of ``python -m bot``: run ``bot.main``. Ctrl+C never ends in a traceback, not even during the imports."""

import os
import signal
import sys

EXIT_INTERRUPTED = 128 + signal.SIGINT  # the shells' convention

if __name__ == "__main__":
    usual = signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))  # nothing is open yet
    from generation.console import main_of, status_of

    main = main_of("bot.main")
    signal.signal(signal.SIGINT, usual)
    try:
        sys.exit(status_of(main))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
