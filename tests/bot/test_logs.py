"""What the bot logs of Discord's library."""

import asyncio
import gc
import logging

import aiohttp
import pytest

from bot.logs import log_unhandled_error, set_up_logging


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


async def test_an_error_that_nobody_waited_for_is_told_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    async def break_down() -> None:
        raise ValueError("a prompt that nobody may read")

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(log_unhandled_error)
    try:
        await asyncio.wait([asyncio.create_task(break_down())])
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    (record,) = caplog.records
    assert "never retrieved" in record.message
    assert "break_down" in record.message
    assert record.message.endswith("ValueError")
