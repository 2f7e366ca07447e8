"""Which buttons a job's messages have."""

from dataclasses import replace

import discord
import pytest

from bot.components.dynamic_button import DynamicButton
from bot.components.job_buttons import result_view, status_view
from bot.storage.job import JobState
from generation.strength_ladder import RUNGS
from tests.bot.jobs_made import PICTURE, make_job


@pytest.mark.parametrize("state", list(JobState))
async def test_cancel_is_offered_while_there_is_something_to_cancel(state: JobState) -> None:
    view = status_view(replace(make_job(), state=state))
    assert (view is not None) is (state in (JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING))


@pytest.mark.parametrize(
    ("kind", "queued_at", "labels"),
    [
        ("out_of_memory", 1.0, ["Again", "Edit"]),
        ("result_blocked", 1.0, ["Again", "Edit"]),
        ("image_refused", None, None),  # there is no picture to try again with
        ("input_expired", 1.0, None),
        ("bot_died", 1.0, None),
        ("picture_listed", 1.0, None),
    ],
)
async def test_what_has_failed_offers_a_way_on_where_its_picture_is_kept(
    kind: str, queued_at: float | None, labels: list[str] | None
) -> None:
    view = status_view(make_job(state=JobState.FAILED, failure_kind=kind, queued_at=queued_at))
    assert (view and [item.label for item in view.children if isinstance(item, DynamicButton)]) == labels


async def test_button_ids_fit_discord() -> None:
    for item in result_view(make_job(state=JobState.RENDERED, pictures=(PICTURE,)), takes_strength=True).children:
        assert isinstance(item, discord.ui.DynamicItem)
        assert len(item.custom_id) <= 100


def labels_of(view: discord.ui.View) -> list[str]:
    return [item.label for item in view.children if isinstance(item, DynamicButton)]


@pytest.mark.parametrize(("takes_strength", "strengths", "offered"), [(True, (), 1), (False, (), 0), (True, RUNGS, 0)])
async def test_strengths_are_offered_where_there_are_others(
    takes_strength: bool, strengths: tuple[float, ...], offered: int
) -> None:
    job = make_job(pictures=(PICTURE,) * 4, count=4, strength=0.3, strengths=strengths, request_message_id=4)
    view = result_view(job, takes_strength=takes_strength)
    labels = labels_of(view)
    assert labels == ["Again", "Edit", "Use as input", *["Strengths"] * offered, "Delete", "Report"]
    rows = [[button["label"] for button in row["components"]] for row in view.to_components()]
    assert rows == ([labels[:-2], labels[-2:]] if offered else [labels])


@pytest.mark.parametrize(
    ("changes", "is_offered"),
    [
        ({}, True),  # nobody else sees the picture of a command
        ({"request_message_id": 4}, False),  # it is in the message that was answered
        ({"request_message_id": 4, "attachment_url": None}, True),
        ({"input_owner_id": 6}, False),
    ],
)
async def test_the_input_can_be_shown_by_whose_it_is_if_it_is_not_there_already(
    changes: dict[str, object], is_offered: bool
) -> None:
    view = result_view(make_job(pictures=(PICTURE,), **changes), takes_strength=True)
    rows = [[button["label"] for button in row["components"]] for row in view.to_components()]
    assert rows[-1] == ["Before/after"] * is_offered + ["Delete", "Report"]
