"""What a member reads about what is kept of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.storage.member_data import Kind

DELETED = "🧹 Deleted."


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept."""

    input_hours: float
    job_days: float


def kept_text(counts: Mapping[Kind, int], retention: Retention, *, is_remixed: bool) -> str:
    """Say what is kept of a member, for how long, and what can be done about it."""
    lines = [
        "**What I keep about you**",
        f"• {_count(counts[Kind.REQUESTS], 'request')}: prompt, numbers, times and the ids of messages;"
        f" {retention.job_days:g} days after the end",
        f"• the pictures that these began with: {retention.input_hours:g} hours after the end, so that **Again** works",
        f"• {_count(counts[Kind.PREFERENCES], 'number')} of `/preferences`: until you reset them",
        f"• {_count(counts[Kind.REPORTS], 'report')} that you have made: 90 days",
        f"• {_count(counts[Kind.BLOCKS], 'server')} whose moderators have blocked you: until they unblock you",
        f"• {_count(counts[Kind.ACTS], 'entry', 'entries')} in the trails of servers that name you: 90 days",
        f"Others may {'' if is_remixed else 'not '}paint over your pictures: `/privacy remixing` changes that.",
        "`/privacy delete` deletes the first four. What the day's budget counts, times and seconds without words or"
        " pictures, goes a day after you asked. The operator's backups hold what they held until they are replaced.",
    ]
    return "\n".join(lines)


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"**{count}** {one if count == 1 else many or f'{one}s'}"
