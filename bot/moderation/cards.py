"""Texts for moderators: policies, lists, decisions, and the audit trail."""

from collections.abc import Collection, Sequence

from bot.display.cards import message_link
from bot.inert import inert
from bot.replies import NOT_QUOTED, counted
from bot.screening.policy import MINOR_BLOCK_SCORE, refusal_of_words
from bot.storage.audit import AuditEntry
from bot.storage.job import Job, JobState
from bot.storage.policies import BlockedPicture, Policy
from bot.storage.reports import Report
from generation.references import reference_of
from generation.safety.verdict import Verdict

# What happened to a job, in words for moderators; the keys are also the actions of the audit trail.
HAPPENED = {
    "words_forbidden": "refused a prompt: sexual words beside a minor",
    "words_not_wanted": "refused a prompt: words on the server's list",
    "words_sexual": "refused a prompt: sexual words outside an age-restricted channel",
    "input_blocked": "blocked a picture that was sent",
    "input_hidden": "will hide a result, because the picture that was sent is to be hidden",
    "result_blocked": "blocked a result",
    "result_hidden": "hid a result as a spoiler",
    "picture_listed": "blocked a picture on the server's list",
    "reported": "got a report about a result",
    "deleted": "deleted a result",
    "hidden": "hid a result",
    "member_blocked": "blocked a member",
    "member_unblocked": "unblocked a member",
    "term_added": "listed a word",
    "term_removed": "took a word off the list",
    "picture_added": "listed a picture",
    "picture_removed": "took a picture off the list",
    "policy_set": "changed the policy",
    "defaults_set": "set defaults",
    "defaults_reset": "reset defaults",
    "limits_set": "set limits",
    "limits_reset": "reset limits",
    "log_set": "chose the moderators' channel",
    "log_off": "gave up the moderators' channel",
}


_FOUND = {"term": "what your list has"}  # the other labels are clear as they are


def policy_text(policy: Policy, log_channel_id: int | None, *, is_log_open: bool = True) -> str:
    """Describe the policy for pictures and words, and where moderators are told, if the bot can still write there."""
    told = "not told: `/moderation log` chooses a channel" if log_channel_id is None else f"told in <#{log_channel_id}>"
    if not is_log_open:
        told = (
            f"not told: I cannot write in <#{log_channel_id}> any more, and `/moderation log` chooses another channel"
        )
    return "\n".join(
        (
            "**What holds for pictures** (0 is harmless, 1 is certainly sexual)",
            f"• in channels for everybody: {_from_which_score(policy.spoiler_score, policy.block_score)}",
            "• in age-restricted channels:"
            f" {_from_which_score(policy.restricted_spoiler_score, policy.restricted_block_score)}",
            f"• with a minor in the words, everywhere: blocked from {MINOR_BLOCK_SCORE:g}; this cannot be changed",
            "**And for words**: sexual ones only in age-restricted channels, never with minors;"
            " yours: `/moderation terms list`",
            f"Moderators are {told}.",
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
        reason = refusal_of_words(words, is_age_restricted=is_age_restricted)
        outcome = "it would be painted" if reason is None else HAPPENED[reason].replace("refused a prompt", "refused")
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
    return listed_text("Words", [f"||{inert(term)}||" for term in terms], "No words are listed.")


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
        detail = "" if not entry.detail else f" · {inert(entry.detail)}"
        items.append(f"<t:{round(entry.happened_at)}:R> {who} {HAPPENED[entry.action]}{of_whom}{which}{detail}")
    return listed_text("What was decided here", items, "Nothing was decided here yet.")


def reports_text(reported: Sequence[tuple[Report, Job | None]]) -> str:
    """Return the reported results, newest first."""
    items = []
    for report, job in reported:
        where = "its request is no longer kept" if job is None else _where(job)
        items.append(f"<t:{round(report.reported_at)}:R> by {counted(report.count, 'member')}: {where}")
    return listed_text("Reports", items, "Nobody has reported anything.")


def decision_text(job: Job, what: str, score: float | None, *, quotes: bool = True) -> str:
    """Return the notice to moderators about a job; without ``quotes`` it leaves out the member's own words."""
    lines = [f"🛡️ I {HAPPENED[what]} · for <@{job.requester_id}> · {_where(job)}"]
    if score is not None:
        lines.append(f"Score {score:.2f}.")
    lines.append(f"> ||{inert(job.prompt)}||" if quotes else NOT_QUOTED)
    return "\n".join(lines)


def _where(job: Job) -> str:
    place = f"<#{job.channel_id}>" if job.result_message_id is None else message_link(job)
    if job.state is JobState.DELIVERED and job.result_message_id is None:
        place += ", deleted since"
    return f"{place} · {reference_of(job.job_id)}"
