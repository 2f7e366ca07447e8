"""Long-running proofs of what this program promises; each module runs on its own and resumes where it was stopped."""

KEPT, BROKEN, IMPOSSIBLE = 0, 1, 2  # exit statuses of a proof
