"""What holds for every test of this repository."""

import os

# As in the executor's process, and for the same reason; it has to be said before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
