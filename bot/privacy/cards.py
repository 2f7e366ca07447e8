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
        f"🧹 Deleted, but for {counted(left, 'message')} of mine where Discord does not let me in any more."
        " Please ask a moderator there, or press **Delete** under a result once I am let in again."
    )


def kept_text(counts: Mapping[Kind, int], retention: Retention, *, is_remixed: bool) -> str:
    """List what is kept about a member, for how long, and what they can do about it."""
    lines = [
        "**What I keep about you**",
        f"• {_bold(counts[Kind.REQUESTS], 'request')}: prompt, numbers, times and the ids of messages;"
        f" {counted(retention.job_days, 'day')} after the end",
        f"• the pictures that these began with: {counted(retention.input_hours, 'hour')} after the end,"
        " so that **Again** works",
        f"• {_bold(counts[Kind.REMIXED], 'request')} of others that began with your pictures: that they were yours,"
        " as long as these are kept",
        f"• {_bold(counts[Kind.PREFERENCES], 'setting')} of `/preferences`: until you reset them",
        f"• {_bold(counts[Kind.REPORTS], 'report')} that you have made: 90 days",
        f"• {_bold(counts[Kind.BLOCKS], 'block')} by moderators of servers or the operator: until they take it back",
        f"• {_bold(counts[Kind.ACTS], 'entry', 'entries')} in the trails of servers that name you: 90 days",
        f"Others may {'' if is_remixed else 'not '}paint over your pictures: `/privacy remixing` changes that.",
        "`/privacy delete` deletes the first five. What the day's budget counts, times and seconds without words or"
        " pictures, goes a day after you asked. The operator's backups hold what they held until they are replaced.",
    ]
    return "\n".join(lines)


def _bold(count: int, one: str, many: str | None = None) -> str:
    number, what = counted(count, one, many).split(" ", 1)
    return f"**{number}** {what}"
