"""``python -m benchmarks``: the short set. Each benchmark is also a module of its own."""

import asyncio
import sys

from benchmarks import acknowledgements

if __name__ == "__main__":
    sys.exit(asyncio.run(acknowledgements.main()))
