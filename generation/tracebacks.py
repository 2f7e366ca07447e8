"""Tracebacks that are safe to log: code locations and types of errors, never their messages."""

import traceback


def stack_of(error: BaseException) -> str:
    """Return file, line and source of every frame, and the types of the error and its causes.

    Messages are left out: tokenizers, pipelines and image libraries quote prompts and file contents in theirs.
    """
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        frames = "".join(traceback.format_tb(cause.__traceback__))
        parts.append(f"{frames}{type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\nraised while handling, or caused by:\n".join(parts)
