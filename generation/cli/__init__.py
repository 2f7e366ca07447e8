"""``python -m generation``: the same generator from a shell, one command a file."""
