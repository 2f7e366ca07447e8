"""Settings that apply to every test of this repository."""

import gc
import os
import signal

# As in the executor process, and for the same reason; has to be set before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Run the kernels for NVIDIA cards in Triton's interpreter, on the CPU; Triton reads this at import.
os.environ.setdefault("TRITON_INTERPRET", "1")

# A shell that starts the tests in the background makes them, and everything they start, ignore SIGINT; a test that
# sends it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Hide imported objects from the garbage collector, as the executor process does.

    Code that runs out of memory collects garbage, and would scan some thousand tests and every library as well.
    """
    gc.collect()
    gc.freeze()
