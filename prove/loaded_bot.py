"""``python -m prove.loaded_bot ENGINE``: the whole bot, except that its executor process uses a scripted engine."""

import sys

from bot.main import run

if __name__ == "__main__":
    sys.exit(run(engine=f"prove.scripted_engine:{sys.argv[1]}"))
