"""``python -m generation``: the same generator from a shell, one file per command."""

EXIT_OK, EXIT_FAILURE, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
