"""``python -m bot``, which runs ``bot.main``: Ctrl+C never ends in a traceback, not even during the imports."""

import os
import signal
import sys

EXIT_INTERRUPTED = 128 + signal.SIGINT  # as shells have it

if __name__ == "__main__":
    usual = signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))  # nothing is open yet
    from bot.main import main

    signal.signal(signal.SIGINT, usual)
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever reads what a check finds, ``head`` perhaps, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at the end would raise once more
        status = 1
    sys.exit(status)
