"""What holds for every test of this repository."""

import gc
import os
import signal

# As in the executor's process, and for the same reason; it has to be said before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Kernels for NVIDIA cards are run by Triton's interpreter, on the CPU; Triton asks when it is imported.
os.environ.setdefault("TRITON_INTERPRET", "1")

# A shell that starts the tests in its background lets them, and all they start, ignore Ctrl+C; a test that sends it
# would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Take what was imported out of the garbage collector's sight, as the executor's process does.

    Whoever runs out of memory looks for garbage, and would look through some thousand tests and every library as well.
    """
    gc.collect()
    gc.freeze()
