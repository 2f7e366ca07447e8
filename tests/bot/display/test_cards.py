"""How a job is shown, from its row alone."""

import time
from dataclasses import replace
from typing import Any

import pytest

from bot import replies
from bot.display.cards import (
    Painting,
    Resting,
    Waiting,
    alt_text,
    duration,
    result_text,
    status_text,
)
from bot.display.queue import queue_text
from bot.storage.job import Job, JobState
from generation.events import FailureKind
from generation.strength_ladder import RUNGS
from tests.bot.jobs_made import PICTURE, make_job

DISCORD_CONTENT_LIMIT = 2000


def rendered(**changes: Any) -> Job:
    return make_job(**{"state": JobState.RENDERED, "pictures": (PICTURE,), **changes})


def test_the_status_tells_place_and_time() -> None:
    queued = replace(make_job(), state=JobState.QUEUED)
    assert "2 ahead of you · about 14 min" in status_text(queued, Waiting(2, 840.0))
    assert "next in line" in status_text(queued, Waiting(0, None))
    assert "> a cat on a beach" in status_text(queued, Waiting(0, None))


def test_the_status_tells_progress() -> None:
    running = replace(make_job(), state=JobState.RUNNING)
    text = status_text(running, Painting(7, 14, 4.4))
    assert "7/14 · about 4 s left" in text
    assert text.count("▰") == text.count("▱")
    assert "getting ready · about 9 s left" in status_text(running, Painting(0, 14, 9.0))


def test_when_done_the_status_is_one_line_with_a_link() -> None:
    done = replace(rendered(), state=JobState.DELIVERED, result_message_id=99, seconds=3.2)
    assert status_text(done) == "✅ Done in 3 s: https://discord.com/channels/2/3/99"
    in_dm = replace(done, guild_id=None)
    assert status_text(in_dm).endswith("https://discord.com/channels/@me/3/99")


def test_a_result_that_was_deleted_is_led_to_no_more() -> None:
    deleted = replace(rendered(), state=JobState.DELIVERED, result_message_id=None, seconds=3.2)
    assert status_text(deleted) == "🗑️ The picture was deleted"


def test_the_queue_leads_to_where_ones_own_can_be_cancelled() -> None:
    mine, waiting, others = make_job(status_message_id=8), make_job(status_message_id=9), make_job(requester_id=5)
    text = queue_text([mine, others], [(waiting, Waiting(1, None))], 1, is_paused=False)
    assert [line.rpartition("/")[2] for line in text.splitlines() if "yours" in line] == ["8", "9"]
    assert "https://discord.com/channels/2/3/8" in text
    assert text.count("https://") == 2


def test_nobody_is_promised_to_begin_at_once_while_nothing_is_begun() -> None:
    assert "right away" in queue_text([], [], 1, is_paused=False)
    assert "right away" not in queue_text([], [], 1, is_paused=True)
    assert "right away" not in queue_text([], [], 1, is_paused=False, resting=Resting(9))
    assert "not taking any new requests" in queue_text([], [], 1, is_paused=False, is_draining=True)
    assert "right away" not in queue_text([], [], 1, is_paused=False, is_draining=True)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_is_one_sentence(kind: FailureKind) -> None:
    data: dict[str, object] = {
        FailureKind.INVALID_REQUEST: {"reason": "out_of_range", "field": "strength", "low": 0, "high": 1, "value": 2},
        FailureKind.IMAGE_REFUSED: {"reason": "damaged", "format": "PNG"},
        FailureKind.MODEL_UNAVAILABLE: {"reason": "unknown", "model": "demo", "known": ["demo"]},
        FailureKind.RESULT_TOO_LARGE: {"max_bytes": 1024},
    }.get(kind, {})
    job = replace(make_job(), state=JobState.FAILED, failure_kind=kind, failure_reference="ABCD1234", failure_data=data)
    headline = status_text(job).splitlines()[0]
    assert headline.startswith("⚠️ ")
    assert headline.endswith("(Reference: ABCD1234)")


def test_a_picture_that_is_not_taken_leaves_a_way_on_with_another_one() -> None:
    data = {"reason": "damaged", "format": "PNG"}
    refused = make_job(state=JobState.FAILED, failure_kind=FailureKind.IMAGE_REFUSED, failure_data=data)
    assert "Reply to this with another picture" in status_text(refused)
    for other in (
        make_job(state=JobState.FAILED, failure_kind="storage_trouble"),
        make_job(state=JobState.FAILED, failure_kind="picture_listed", queued_at=1.0),  # its result, not its input
        make_job(state=JobState.CANCELLED),
    ):
        assert "Reply to this with another picture" not in status_text(other)


def test_the_result_says_what_made_it() -> None:
    text = result_text(rendered(), is_demo=False)
    for part in ("<@1>", "`7`", "strength 0.7", "guidance 4", "20 steps (14 run)", "512×384", "64×48", "demo"):
        assert part in text


def test_the_result_says_of_which_pictures_the_first_was_taken() -> None:
    with_message = result_text(rendered(ignored_pictures=1), is_demo=False)
    assert "I used the first of your pictures and left out 1 more." in with_message
    of_result = result_text(rendered(ignored_pictures=3, parent_job_id="P"), is_demo=False)
    assert "I used the first of its 4 pictures. To use another one, reply to it with `picture 2`" in of_result


def test_the_result_says_how_many_steps_were_run() -> None:
    def shown(run: int | None, strength: float = 0.7) -> str:
        pictures = (replace(PICTURE, denoising_steps=run),)
        return result_text(rendered(pictures=pictures, strength=strength, num_inference_steps=25), is_demo=False)

    assert "25 steps (18 run)" in shown(18)  # 17.5, rounded up by some families
    assert "25 steps (17 run)" in shown(None)
    assert "25 steps ·" in shown(25, strength=1.0)
    assert "25 steps (26 run)" in shown(26, strength=1.0)  # PNDM takes one more


def test_several_pictures_show_their_seeds() -> None:
    pictures = tuple(replace(PICTURE, seed=seed) for seed in (2**32 - 1, 0, 1))
    assert "`4294967295` to `1`" in result_text(rendered(pictures=pictures, count=3), is_demo=False)


def test_a_ladder_shows_its_strengths_and_its_one_seed() -> None:
    pictures = tuple(replace(PICTURE, denoising_steps=steps) for steps in (6, 9, 12, 15))
    ladder = rendered(pictures=pictures, count=4, strength=0.3, strengths=RUNGS)
    text = result_text(ladder, is_demo=False)
    for part in ("seed `7` · strength 0.3 / 0.45 / 0.6 / 0.75 · guidance 4 · 20 steps (6 to 15 run)", "512×384"):
        assert part in text
    assert "`again, strength 0.6` for more like it, or with `picture 3` and new words" in text
    earlier_version = replace(ladder, pictures=(PICTURE,) * 4)
    assert "20 steps (6 to 15 run)" in result_text(earlier_version, is_demo=False)
    assert alt_text(ladder, 3).startswith("Picture 3 of 4, with strength 0.6, painted over another one for the prompt:")


def test_the_demo_model_is_called_one() -> None:
    assert "demo model" in result_text(rendered(), is_demo=True)
    assert "demo model" not in result_text(rendered(), is_demo=False)


def test_a_model_without_strength_says_so() -> None:
    assert "strength 0." in result_text(rendered(strength=0.5), is_demo=False)
    text = result_text(rendered(strength=1.0), is_demo=False, takes_strength=False)
    assert "strength 1" not in text
    assert "doesn't use the strength" in text


def test_what_was_painted_again_says_why() -> None:
    text = result_text(rendered(pictures=(replace(PICTURE, painted_again=True),)), is_demo=False)
    assert replies.PAINTED_AGAIN in text
    assert replies.PAINTED_AGAIN not in result_text(rendered(), is_demo=False)


def test_a_picture_that_was_much_trimmed_is_told_so() -> None:
    assert replies.TRIMMED in result_text(rendered(pictures=(replace(PICTURE, trimmed=0.8),)), is_demo=False)
    assert replies.TRIMMED not in result_text(rendered(pictures=(replace(PICTURE, trimmed=0.02),)), is_demo=False)


def test_another_encoding_is_mentioned() -> None:
    job = rendered(pictures=(replace(PICTURE, media_type="image/jpeg"),))
    assert "Sent as JPEG" in result_text(job, is_demo=False)


@pytest.mark.parametrize(
    "prompt", ["*" * 1500, "@everyone <@&123456789012345678> `x` [a](b)", "_~|>#-" * 250, "😀" * 1500, "a\n\n# b"]
)
def test_prompts_are_inert_and_fit(prompt: str) -> None:
    job = replace(rendered(), prompt=prompt, negative_prompt=prompt[:1000])
    for text in (
        result_text(job, is_demo=True),
        status_text(replace(job, state=JobState.QUEUED), Waiting(1, 5.0)),
        status_text(replace(job, state=JobState.FAILED, failure_kind="queue_full", failure_data={"max_waiting": 5})),
    ):
        assert len(text) <= DISCORD_CONTENT_LIMIT
        assert "@everyone" not in text
        assert "<@&" not in text
        assert "\n# b" not in text
    assert len(alt_text(job, 1)) <= 1024


def test_a_card_with_everything_on_it_fits() -> None:
    picture = replace(PICTURE, media_type="image/jpeg", trimmed=0.5, painted_again=True)
    adapters = ", ".join(f"{letter * 64}:0.85" for letter in "abc")
    job = replace(
        rendered(pictures=(picture,) * 4, count=4, adapter=adapters, model="m" * 64, ignored_pictures=9),
        prompt="*" * 1500, negative_prompt="_" * 1000,
    )  # fmt: skip
    text = result_text(job, is_demo=True, takes_strength=False)
    assert len(text) <= DISCORD_CONTENT_LIMIT
    assert "seed" in text


def test_each_of_several_pictures_says_which_it_is() -> None:
    assert alt_text(rendered(), 1) == "A picture, painted over another one for the prompt: a cat on a beach"
    assert alt_text(rendered(count=3), 2).startswith("Picture 2 of 3, painted")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "1 s"), (59, "59 s"), (89, "89 s"), (840, "14 min"), (7200, "2.0 h")]
)
def test_durations_read_well(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_result_leads_to_the_one_that_it_was_painted_over() -> None:
    earlier = make_job(state=JobState.DELIVERED, result_message_id=77)
    text = result_text(rendered(), is_demo=False, earlier=earlier)
    assert text.endswith("\n-# Painted over https://discord.com/channels/2/3/77")
    several = rendered(strengths=RUNGS, ignored_pictures=1, parent_job_id="P")
    _, after = result_text(several, is_demo=False, earlier=earlier).split("/77\n")
    assert after.startswith("-# I used the first of its 2 pictures.")  # those of the message just linked, not its own
    gone = replace(earlier, result_message_id=None)
    assert "Painted over" not in result_text(rendered(), is_demo=False, earlier=gone)


def test_who_waits_long_is_told_the_time_of_day_in_steps_of_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = make_job(state=JobState.QUEUED)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_010.0)
    assert "· about 14 min, around <t:1800000900:t>\n" in status_text(queued, Waiting(2, 840.0))
    assert "· about 14 min, around <t:1800000900:t>\n" in status_text(queued, Waiting(2, 860.0))
    assert "· about 9 min\n" in status_text(queued, Waiting(2, 560.0))


@pytest.mark.parametrize(
    ("transparent", "repaint", "repaints_parts", "is_hinted"),
    [
        (True, "all", True, True),
        (True, "all", False, False),
        (False, "all", True, False),
        (True, "transparent", True, False),
    ],
)
def test_who_sent_transparent_parts_learns_that_they_alone_can_be_repainted(
    transparent: bool, repaint: str, repaints_parts: bool, is_hinted: bool
) -> None:
    job = rendered(pictures=(replace(PICTURE, transparent=transparent),), repaint=repaint)
    text = result_text(job, is_demo=False, repaints_parts=repaints_parts)
    assert (replies.TRANSPARENT in text) is is_hinted
    assert ("transparent parts only" in text) is (repaint == "transparent")


def test_what_a_mask_marked_is_called_so() -> None:
    job = rendered(pictures=(replace(PICTURE, transparent=False),), repaint="transparent")
    assert "masked parts only" in result_text(job, is_demo=False, repaints_parts=True)
