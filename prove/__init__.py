"""Long proofs of what this program promises; each module runs for itself and goes on where it was stopped."""
