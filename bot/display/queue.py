"""The text of ``/queue``."""

from collections.abc import Sequence

from bot import replies
from bot.display.cards import Resting, Waiting, about, duration, link
from bot.errors import Refused
from bot.escaping import escape_text
from bot.storage.job import Job


def queue_text(
    running: Sequence[Job],
    waiting: Sequence[tuple[Job, Waiting]],
    member_id: int,
    budgets: Sequence[str] = (),
    *,
    refused: Refused | None = None,
    is_paused: bool,
    is_draining: bool = False,
    resting: Resting | None = None,
) -> str:
    """Return the running and waiting jobs; other members' jobs are only counted.

    ``budgets`` are sentences about the member's budgets, ``refused`` is why they cannot request anything now.
    """
    lines = [f"**{len(running)} running, {len(waiting)} waiting**"]
    if resting is not None:
        lines.append(f"Resting because painting has failed several times. Next try <t:{resting.until}:R>.")
    if is_paused:
        lines.append("Paused by the operator: nothing new will start for now.")
    if is_draining:
        lines.append("Draining: I'm finishing what's in the queue and not taking any new requests.")
    ends = [place.seconds for _, place in waiting if place.seconds is not None]
    if ends and len(ends) == len(waiting) and not is_paused:
        lines.append(f"All of this will take about {duration(max(ends))}.")
    for job in running:
        if job.requester_id == member_id:
            lines.append(f"🎨 yours: {escape_text(job.prompt, 80)}{_status_link(job)}")
    for job, place in waiting:
        if job.requester_id == member_id:
            ahead = f"{place.ahead} ahead" if place.ahead else "next in line"
            lines.append(f"🕐 yours, {ahead}{about(place.seconds)}: {escape_text(job.prompt, 80)}{_status_link(job)}")
    if not running and not waiting:
        begins_at_once = not (is_paused or is_draining or resting or refused)
        lines.append("Nobody is waiting, so yours would start right away." if begins_at_once else "Nobody is waiting.")
    if refused is not None:
        lines.append(replies.refusal_sentence(refused.reason, refused.data))
    lines.extend(budgets)
    return "\n".join(lines)


def _status_link(job: Job) -> str:
    """Return a link to the status message, where the job can be cancelled."""
    return "" if job.status_message_id is None else f" · {link(job, job.status_message_id)}"
