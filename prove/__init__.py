"""Long proofs of what this program promises; each module runs for itself and goes on where it was stopped."""

KEPT, BROKEN, IMPOSSIBLE = 0, 1, 2  # what a proof ends with
