"""A button left by an earlier version is answered; a current one is answered by its own callback only."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.components.job_buttons import CancelButton, ReportButton
from bot.events import Events
from bot.moderation.buttons import ModBlockButton, ModDeleteButton
from bot.replies import refusal_sentence
from generation.job_id import new_job_id


async def told(custom_id: str) -> list[str]:
    """Return what the client itself answers, without a callback."""
    heard: list[str] = []

    async def send_message(text: str, *, ephemeral: bool) -> None:
        assert ephemeral
        heard.append(text)

    interaction: Any = SimpleNamespace(
        id=1,
        type=discord.InteractionType.component,
        data={"custom_id": custom_id, "component_type": 2},
        client=SimpleNamespace(metrics=SimpleNamespace(refused=lambda _: None), is_closed=lambda: False),
        response=SimpleNamespace(type=None, is_done=lambda: False, send_message=send_message),
    )
    client: Any = SimpleNamespace(traffic=SimpleNamespace(arrived=lambda _: None))
    await Events.on_interaction(client, interaction)
    return heard


@pytest.mark.parametrize("custom_id", ["again", "again:17", f"redo:{'0' * 20}", f"again:{'0' * 20}:2", ""])
async def test_a_button_that_no_code_is_left_for_is_answered(custom_id: str) -> None:
    assert await told(custom_id) == [refusal_sentence("job_unknown", {})]


async def test_a_button_of_ours_answers_for_itself() -> None:
    job_id = new_job_id()
    for button in (CancelButton(job_id), ReportButton(job_id), ModDeleteButton(job_id), ModBlockButton(str(10**18))):
        assert await told(button.custom_id) == []
