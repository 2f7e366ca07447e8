"""Which buttons stand under a job's messages."""

from dataclasses import replace

import discord
import pytest

from bot.components.job_buttons import result_view, status_view
from bot.storage.job import JobState
from tests.bot.jobs_made import PICTURE, make_job


@pytest.mark.parametrize("state", list(JobState))
async def test_cancel_is_offered_while_there_is_something_to_cancel(state: JobState) -> None:
    view = status_view(replace(make_job(), state=state))
    assert (view is not None) is (state in (JobState.QUEUED, JobState.RUNNING))


async def test_button_ids_fit_discord() -> None:
    for item in result_view(make_job(state=JobState.RENDERED, pictures=(PICTURE,))).children:
        assert isinstance(item, discord.ui.DynamicItem)
        assert len(item.custom_id) <= 100
