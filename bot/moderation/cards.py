"""Texts for moderators: policies, lists, decisions, and the audit trail."""

from collections.abc import Collection, Sequence

from bot.display.cards import message_link
from bot.escaping import escape_text
from bot.replies import NOT_QUOTED, counted
from bot.screening.policy import MINOR_BLOCK_SCORE, prompt_refusal
from bot.storage.audit import AuditEntry
from bot.storage.job import Job, JobState
from bot.storage.policies import BlockedPicture, Policy
from bot.storage.reports import Report
from generation.references import reference_of
from generation.safety.verdict import Verdict

# What happened to a job, in words for moderators; the keys are also the actions of the audit trail.
HAPPENED = {
    "words_forbidden": "refused a prompt: sexual words involving a minor",
    "words_not_wanted": "refused a prompt: words on the server's list",
    "words_sexual": "refused a prompt: sexual words outside an age-restricted channel",
    "input_blocked": "blocked a picture that was sent",
    "input_hidden": "will hide a result because the picture that it starts from has to be hidden",
    "result_blocked": "blocked a result",
    "result_hidden": "hid a result as a spoiler",
    "picture_listed": "blocked a picture on the server's list",
    "reported": "received a report about a result",
    "deleted": "deleted a result",
    "hidden": "hid a result",
    "member_blocked": "blocked a member",
    "member_unblocked": "unblocked a member",
    "term_added": "added a word to the list",
    "term_removed": "removed a word from the list",
    "picture_added": "added a picture to the list",
    "picture_removed": "removed a picture from the list",
    "policy_set": "changed the policy",
    "defaults_set": "set defaults",
    "defaults_reset": "reset defaults",
    "limits_set": "set limits",
    "limits_reset": "reset limits",
    "log_set": "chose the channel for notifying moderators",
    "log_off": "stopped notifying moderators",
}


_FOUND = {"term": "words on your list"}  # the other labels are clear as they are


def policy_text(policy: Policy, log_channel_id: int | None, *, is_log_open: bool = True) -> str:
    """Describe the policy for pictures and words, and where moderators are told, if the bot can still write there."""
    if log_channel_id is None:
        told = "Moderators aren't notified. Choose a channel with `/moderation log`."
    elif is_log_open:
        told = f"Moderators are notified in <#{log_channel_id}>."
    else:
        told = (
            f"Moderators aren't notified because I can't write in <#{log_channel_id}> any more."
            " Choose another channel with `/moderation log`."
        )
    return "\n".join(
        (
            "**Pictures** are scored from 0 (harmless) to 1 (certainly sexual)",
            f"• in channels for everybody: {_from_which_score(policy.spoiler_score, policy.block_score)}",
            "• in age-restricted channels:"
            f" {_from_which_score(policy.restricted_spoiler_score, policy.restricted_block_score)}",
            f"• everywhere, if the words mention a minor: blocked from {MINOR_BLOCK_SCORE:g} (this can't be changed)",
            "**Words**: sexual ones only in age-restricted channels, and never with minors."
            " Your own list: `/moderation terms list`",
            told,
        )
    )


def _from_which_score(spoiler_score: float, block_score: float) -> str:
    """Describe what happens to a picture by its score; one that is blocked is not hidden first, and 1 means never."""
    is_hidden, is_blocked = spoiler_score < min(block_score, 1), block_score < 1
    hidden = f"hidden from {spoiler_score:g}" if is_hidden else "never hidden"
    return f"{hidden}, blocked from {block_score:g}" if is_blocked else f"{hidden}, never blocked"


def verdict_text(words: Verdict) -> str:
    """Describe what was found in a prompt and what would follow."""
    found = ", ".join(_FOUND.get(label, label.replace("_", " and ")) for label in words.scores) or "nothing"
    lines = [f"Found: **{found}**."]
    for place, is_age_restricted in (("channels for everybody", False), ("age-restricted channels", True)):
        reason = prompt_refusal(words, is_age_restricted=is_age_restricted)
        outcome = (
            "would be painted" if reason is None else HAPPENED[reason].replace("refused a prompt", "would be refused")
        )
        lines.append(f"• in {place}: {outcome}")
    return "\n".join(lines)


def listed_text(title: str, items: Collection[str], nothing: str) -> str:
    """Return a list under its title."""
    return "\n".join([f"**{title}**", *(f"• {item}" for item in items)]) if items else nothing


def members_text(members: Collection[int]) -> str:
    """Return the blocked members, those blocked longest first."""
    return listed_text("Blocked members", [f"<@{member_id}>" for member_id in members], "Nobody is blocked.")


def terms_text(terms: Collection[str]) -> str:
    """Return the server's words, as spoilers."""
    return listed_text("Words", [f"||{escape_text(term)}||" for term in terms], "No words are listed.")


def pictures_text(pictures: Collection[BlockedPicture]) -> str:
    """Return the server's pictures, each as the start of its sha256."""
    items = [f"`{picture.sha256[:16]}`, listed <t:{round(picture.added_at)}:R>" for picture in pictures]
    return listed_text("Pictures", items, "No pictures are listed.")


def audit_text(entries: Sequence[AuditEntry]) -> str:
    """Return the audit trail, newest first."""
    items = []
    for entry in entries:
        who = "I" if entry.actor_id is None else f"<@{entry.actor_id}>"
        of_whom = "" if entry.member_id is None else f"<@{entry.member_id}>"
        of_whom = of_whom and f" (for {of_whom})" if entry.job_id is not None else of_whom and f" ({of_whom})"
        which = "" if entry.job_id is None else f" · {reference_of(entry.job_id)}"
        detail = "" if not entry.detail else f" · {escape_text(entry.detail)}"
        items.append(f"<t:{round(entry.happened_at)}:R> {who} {HAPPENED[entry.action]}{of_whom}{which}{detail}")
    return listed_text("Decisions in this server", items, "Nothing has been decided here yet.")


def reports_text(reported: Sequence[tuple[Report, Job | None]]) -> str:
    """Return the reported results, newest first."""
    items = []
    for report, job in reported:
        where = "the request is no longer on record" if job is None else _where(job)
        items.append(f"<t:{round(report.reported_at)}:R> by {counted(report.count, 'member')}: {where}")
    return listed_text("Reports", items, "Nobody has reported anything.")


def decision_text(job: Job, what: str, score: float | None, *, quotes: bool = True) -> str:
    """Return the notice to moderators about a job; without ``quotes`` it leaves out the member's own words."""
    lines = [f"🛡️ I {HAPPENED[what]} · for <@{job.requester_id}> · {_where(job)}"]
    if score is not None:
        lines.append(f"Score {score:.2f}.")
    lines.append(f"> ||{escape_text(job.prompt)}||" if quotes else NOT_QUOTED)
    return "\n".join(lines)


def _where(job: Job) -> str:
    place = f"<#{job.channel_id}>" if job.result_message_id is None else message_link(job)
    if job.state is JobState.DELIVERED and job.result_message_id is None:
        place += ", deleted since"
    return f"{place} · {reference_of(job.job_id)}"
