"""Texts about the data kept about a member."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.replies import counted
from bot.storage.member_data import Kind


@dataclass(frozen=True, slots=True)
class Retention:
    """How long data of settled jobs is kept."""

    input_hours: float
    job_days: float


def deleted_text(left: int) -> str:
    """Say that everything is deleted, except for ``left`` messages that Discord did not let the bot delete."""
    if not left:
        return "🧹 Deleted."
    return (
        f"🧹 Deleted, except for {counted(left, 'message')} of mine that Discord no longer lets me reach."
        " Please ask a moderator there, or press **Delete** under a result once I have access again."
    )


def kept_text(counts: Mapping[Kind, int], retention: Retention, *, is_remixed: bool) -> str:
    """List what is kept about a member, for how long, and what they can do about it."""
    lines = [
        "**What I keep about you**",
        f"• {_bold(counts[Kind.REQUESTS], 'request')}: prompt, settings, times and message ids,"
        f" for {counted(retention.job_days, 'day')} after the end",
        f"• the pictures that these started from: for {counted(retention.input_hours, 'hour')} after the end,"
        " so that **Again** works",
        f"• {_bold(counts[Kind.REMIXED], 'request')} by others that started from your pictures: that those were yours,"
        " for as long as the request is kept",
        f"• {_bold(counts[Kind.PREFERENCES], 'setting')} from `/preferences`: until you reset them",
        f"• {_bold(counts[Kind.REPORTS], 'report')} that you made: for 90 days",
        f"• {_bold(counts[Kind.BLOCKS], 'block')} by server moderators or the operator: until they unblock you",
        f"• {_bold(counts[Kind.ACTS], 'entry', 'entries')} in servers' audit trails about you: for 90 days",
        f"Others may {'' if is_remixed else 'not '}paint over your pictures. `/privacy remixing` changes that.",
        "`/privacy delete` deletes the first five. What counts towards the daily budget (times and seconds, without"
        " words or pictures) is deleted a day after the request. The operator's backups keep their contents until"
        " they are replaced.",
    ]
    return "\n".join(lines)


def _bold(count: int, one: str, many: str | None = None) -> str:
    number, what = counted(count, one, many).split(" ", 1)
    return f"**{number}** {what}"
