"""What the bot logs of Discord's library."""

import logging

import aiohttp
import pytest

from bot.logs import set_up_logging


@pytest.mark.parametrize(("error", "has_stack"), [(aiohttp.ClientError("gone"), False), (KeyError("d"), True)])
def test_a_lost_connection_is_one_line_and_a_fault_keeps_its_stack(
    error: Exception, has_stack: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    set_up_logging([])
    try:
        raise error
    except Exception:
        logging.getLogger("discord.client").exception("Attempting a reconnect in %.2fs", 1.5)
    finally:
        root.handlers[:], root.level = before
    written = capsys.readouterr().err
    assert "Attempting a reconnect in 1.50s" in written
    assert ("out of reach (ClientError)" in written) is not has_stack
    assert (written.count("\n") > 1) is has_stack
