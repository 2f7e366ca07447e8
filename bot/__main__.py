"""``python -m bot``, which is ``bot.main``: Ctrl+C ends it without a traceback from the first import on."""

import os
import signal
import sys

EXIT_INTERRUPTED = 128 + signal.SIGINT  # as shells have it

if __name__ == "__main__":
    usual = signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))  # nothing has begun yet
    from bot.main import main

    signal.signal(signal.SIGINT, usual)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
