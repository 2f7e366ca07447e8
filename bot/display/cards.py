"""How a job looks in the channel: functions of its row, its standing and the time of day."""

import time
from dataclasses import dataclass

from bot import replies
from bot.escaping import escape_text
from bot.storage.job import Job, JobState
from generation.adapter_weights import read_adapters
from generation.events import FailureKind
from generation.references import reference_of
from generation.requests import denoising_steps
from generation.samplers import OWN_SAMPLER, SAMPLERS

_LONG_SECONDS = 600
_BAR_LENGTH = 12
# Reasons why the picture was not accepted; the same prompt may work with another picture.
_ABOUT_THE_PICTURE = (
    FailureKind.IMAGE_REFUSED,
    "attachment_gone",
    "download_failed",
    "input_blocked",
    "picture_listed",
)
_MUCH_TRIMMED = 0.15  # less is trimmed routinely, to reach a size that the model can generate


@dataclass(frozen=True, slots=True)
class Waiting:
    """``ahead`` jobs come first; this one is done in ``seconds``, None if that has not been measured."""

    ahead: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Painting:
    """``step`` of ``total_steps`` are done; ``seconds`` are left, None if that has not been measured."""

    step: int
    total_steps: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Resting:
    """Nothing is generated until ``until`` (seconds since 1970), because the generation process keeps failing."""

    until: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing new is started until the operator resumes."""


Standing = Waiting | Painting | Resting | Paused | None


def status_text(job: Job, standing: Standing = None, *, quotes: bool = True) -> str:
    """Return the text of the status message; without ``quotes`` it leaves out the member's own words."""
    quoted = _quoted_prompt(job) if quotes else ()
    return "\n".join((_headline(job, standing), *_next_step_hint(job), *_reference(job), *quoted))


def _headline(job: Job, standing: Standing) -> str:
    match job.state, standing:
        case JobState.ACCEPTED, _:
            return "📥 Fetching your picture…"
        case JobState.QUEUED | JobState.RUNNING, Resting(until=until):
            return f"💤 **Resting** because painting has failed several times. Next try <t:{until}:R>"
        case JobState.QUEUED, Paused():
            return "⏸️ **Queued**, but paused by the operator. Your request is safe and will continue by itself"
        case JobState.QUEUED, Waiting(ahead=0, seconds=seconds):
            return f"🕐 **Queued**, next in line{about(seconds)}"
        case JobState.QUEUED, Waiting(ahead=ahead, seconds=seconds):
            return f"🕐 **Queued**, {ahead} ahead of you{about(seconds)}"
        case JobState.QUEUED, _:
            return "🕐 **Queued**"
        case JobState.RUNNING, Painting(step=step, total_steps=total, seconds=seconds):
            full = _BAR_LENGTH * step // max(1, total)
            bar = "▰" * full + "▱" * (_BAR_LENGTH - full)
            left = f" · about {duration(seconds)} left" if seconds is not None else ""
            # Before the first step the model may still be loading, or downloading, which can take long.
            return f"🎨 **Painting** {bar} {f'{step}/{total}' if step else 'getting ready'}{left}"
        case JobState.RUNNING, _:
            return "🎨 **Painting**"
        case JobState.RENDERED, _:
            return "📤 Sending the picture…"
        case JobState.DELIVERED, _:
            took = f" in {duration(job.seconds)}" if job.seconds is not None else ""
            return f"✅ Done{took}: {message_link(job)}" if job.result_message_id else "🗑️ The picture was deleted"
        case JobState.CANCELLED, _:
            return f"🚫 Cancelled{replies.CANCELLED.get(job.failure_data.get('reason', ''), '')}"
        case _:
            return f"⚠️ {replies.job_sentence(job)}"


def _next_step_hint(job: Job) -> tuple[str, ...]:
    """Say how to continue with another picture, if it was the picture that was not accepted."""
    was_the_picture = job.state is JobState.FAILED and job.queued_at is None and job.failure_kind in _ABOUT_THE_PICTURE
    needs_mention = job.request_message_id is None and job.guild_id is not None
    return (
        (replies.another_picture(needs_mention=needs_mention, has_mask=job.mask_url is not None),)
        if was_the_picture
        else ()
    )


def _reference(job: Job) -> tuple[str, ...]:
    """Name the reference to search the log for, unless the failure's sentence already does."""
    if job.state not in (JobState.FAILED, JobState.EXPIRED) or job.failure_reference:
        return ()
    return (f"-# Reference: {reference_of(job.job_id)}",)


def _quoted_prompt(job: Job) -> tuple[str, ...]:
    """Quote the prompt while the job is open and under a refusal, so that no input is lost."""
    if job.state in (JobState.DELIVERED, JobState.CANCELLED):
        return ()
    return (f"> {escape_text(job.prompt)}",)


def about(seconds: float | None) -> str:
    """Return a phrase for how long something takes, to append to its description; empty if unknown."""
    if seconds is None:
        return ""
    if seconds > 10:  # a text that changed every second would mean an edit every second
        seconds = 5 * round(seconds / 5)
    if seconds < _LONG_SECONDS:
        return f" · about {duration(seconds)}"
    # A long wait is seldom updated, so the time of day is given too, in the reader's own time zone.
    moment = _LONG_SECONDS / 2 * round((time.time() + seconds) / (_LONG_SECONDS / 2))
    return f" · about {duration(seconds)}, around <t:{moment:.0f}:t>"


def result_text(
    job: Job,
    *,
    is_demo: bool,
    takes_strength: bool = True,
    repaints_parts: bool = False,
    quotes: bool = True,
    earlier: Job | None = None,
) -> str:
    """Return the text of the result message: the prompt, its requester, and every number that went into the picture.

    Without ``quotes`` it leaves out the member's own words. ``earlier`` is the job whose result was painted over.
    """
    first = job.pictures[0]
    has_one_seed = job.count == 1 or job.strengths
    seeds = f"`{first.seed}`" if has_one_seed else f"`{first.seed}` to `{job.pictures[-1].seed}`"
    steps = f"{job.num_inference_steps} steps"
    run = _steps_run(job)
    if run != str(job.num_inference_steps):
        steps += f" ({run} run)"
    size = f"{first.width}×{first.height}"
    if (first.native_width, first.native_height) != (first.width, first.height):
        size += f" (painted at {first.native_width}×{first.native_height})"
    strengths = " / ".join(f"{strength:g}" for strength in job.strengths or (job.strength,))
    strength = f"strength {strengths} · " if takes_strength else ""
    numbers = f"{strength}guidance {job.guidance_scale:g} · {steps} · {size} · {job.model}"
    if job.sampler != OWN_SAMPLER:
        numbers += f" · {SAMPLERS[job.sampler].title}"
    if job.repaint == "transparent":
        numbers += f" · {'transparent' if first.transparent else 'masked'} parts only"
    if job.adapter:
        adapters = read_adapters(job.adapter, job.adapter_weight)
        numbers += " · " + " + ".join(f"{name} {weight:g}" for name, weight in adapters)
    lines = [f"**{escape_text(job.prompt)}** · for <@{job.requester_id}>" if quotes else f"For <@{job.requester_id}>"]
    if job.negative_prompt and quotes:
        lines.append(f"without: {escape_text(job.negative_prompt)}")
    lines.append(f"🌱 seed {seeds} · {numbers}")
    if earlier is not None and earlier.result_message_id is not None:
        lines.append(f"-# Painted over {message_link(earlier)}")
    if job.ignored_pictures:
        lines.append(replies.ignored_pictures(job.ignored_pictures, of_result=job.parent_job_id is not None))
    if not quotes:
        lines.append(replies.NOT_QUOTED)
    if first.media_type != "image/png":
        lines.append(replies.encoded_smaller(first.media_type))
    if first.trimmed >= _MUCH_TRIMMED:
        lines.append(replies.TRIMMED)
    if first.transparent and job.repaint == "all" and repaints_parts:
        lines.append(replies.TRANSPARENT)
    if first.painted_again:
        lines.append(replies.PAINTED_AGAIN)
    if not takes_strength:
        lines.append(replies.STRENGTH_NOT_USED)
    if job.strengths:
        middle = len(job.strengths) // 2
        lines.append(replies.ladder_hint(middle + 1, job.strengths[middle]))
    if is_demo:
        lines.append(replies.DEMO_MODEL)
    return replies.fitting("\n".join(lines))


def _steps_run(job: Job) -> str:
    """Return how many steps were run; for a ladder the fewest and the most.

    Families and samplers round differently, so the recorded number is used where there is one.
    """
    pictures = zip(job.pictures, job.strength_of_each, strict=False)
    run = [
        picture.denoising_steps or denoising_steps(strength, job.num_inference_steps) for picture, strength in pictures
    ]
    return str(run[0]) if run[0] == run[-1] else f"{run[0]} to {run[-1]}"


def alt_text(job: Job, number: int) -> str:
    """Return the alt text of a result's file (counted from 1), at most 1,024 characters as Discord requires."""
    which = f"Picture {number} of {job.count}" if job.count > 1 else "A picture"
    if job.strengths:
        which += f", with strength {job.strengths[number - 1]:g}"
    return f"{which}, painted over another one for the prompt: {job.prompt}"[:1024]


def message_link(job: Job) -> str:
    """Return the URL of the result message."""
    return link(job, job.result_message_id)


def link(job: Job, message_id: int | None) -> str:
    """Return the URL of a message in a job's channel."""
    place = "@me" if job.guild_id is None else str(job.guild_id)
    return f"https://discord.com/channels/{place}/{job.channel_id}/{message_id}"


def duration(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
