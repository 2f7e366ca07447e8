"""Checks every prompt and picture before it is shown; whatever cannot be checked is refused."""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from bot.errors import Refused
from bot.screening.policy import Decision, decide_picture, prompt_refusal
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.policies import EVERYWHERE, BlockedPicture, Policies
from bot.storage.remixing import Remixing
from generation.errors import CheckFailed
from generation.references import reference_of
from generation.safety.checker import PictureChecker
from generation.safety.prompt import check_prompt
from generation.safety.verdict import Label, PictureVerdict, Verdict, highest, is_alike

log = logging.getLogger(__name__)

_MAX_REMEMBERED = 1000
# Whether a channel of a server is for adults only.
IsAgeRestricted = Callable[[int | None, int], bool]
NoteDecision = Callable[[Job, str, float | None], None]


class Screening:
    """Decides about prompts, input pictures, previews and results by verdict, policy and channel.

    ``note`` is called with every picture or prompt that is blocked or hidden, and its score. Pictures are not judged
    before ``servers_known`` returns: after a restart jobs resume before Discord has said which channels are
    age-restricted.
    """

    def __init__(
        self,
        checker: PictureChecker,
        policies: Policies,
        remixing: Remixing,
        jobs: Jobs,
        is_age_restricted: IsAgeRestricted,
        note: NoteDecision,
        servers_known: Callable[[], Awaitable[None]],
    ) -> None:
        self._checker = checker
        self._policies = policies
        self._remixing = remixing
        self._jobs = jobs
        self._is_age_restricted = is_age_restricted
        self._note = note
        self._servers_known = servers_known
        self._verdicts: dict[str, tuple[Collection[str], Verdict]] = {}  # by job, with the server's list at that time

    def require_not_excluded(self, requester_id: int, guild_id: int | None, owner_ids: Collection[int] = ()) -> None:
        """Raise Refused if the operator, the server's moderators or the picture's owners exclude the requester.

        The reasons are ``member_blocked_everywhere``, ``member_blocked`` and ``remixing_off``.
        """
        if self._policies.is_blocked(EVERYWHERE, requester_id):
            raise Refused("member_blocked_everywhere")
        if self._policies.is_blocked(guild_id, requester_id):
            raise Refused("member_blocked")
        if any(owner_id != requester_id and self._remixing.is_refused(owner_id) for owner_id in owner_ids):
            raise Refused("remixing_off")

    def require_allowed_prompt(self, job: Job) -> None:
        """Raise Refused (``words_forbidden``, ``words_not_wanted``, ``words_sexual``) if the prompt is not allowed."""
        restricted = self._is_age_restricted(job.guild_id, job.channel_id)
        reason = prompt_refusal(self.prompt_verdict(job), is_age_restricted=restricted)
        if reason is not None:
            self._note(job, reason, None)
            raise Refused(reason)

    async def recheck_prompt(self, job: Job) -> None:
        """Check again before a job runs, since moderators may have changed their lists while it waited."""
        await self._servers_known()
        self.require_allowed_prompt(job)

    def prompt_verdict(self, job: Job) -> Verdict:
        """Return the verdict on a job's prompt, computed once per list of terms: every preview needs it."""
        server_terms = self._policies.terms(job.guild_id)
        known = self._verdicts.get(job.job_id)
        if known is None or known[0] != server_terms:
            if known is None and len(self._verdicts) >= _MAX_REMEMBERED:
                del self._verdicts[next(iter(self._verdicts))]
            known = server_terms, check_prompt(job.prompt, job.negative_prompt, server_terms=server_terms)
            self._verdicts[job.job_id] = known
        return known[1]

    async def screen_input(self, job: Job, clean: bytes, sha256: str) -> None:
        """Check the picture that a job starts from; if it has to be hidden, so does the result.

        ``clean`` is its decoded copy, ``sha256`` that of the original file. Raises Refused (``input_blocked``,
        ``picture_listed``, ``check_failed``).
        """
        found = await self._check(job, clean)
        self._require_unlisted(job, found, sha256)
        await self._decide(job, [found], "input")

    async def screen_result(self, job: Job, pictures: Sequence[bytes]) -> None:
        """Check all finished pictures, and record whether they have to be hidden.

        Raises Refused (``result_blocked``, ``picture_listed``, ``check_failed``).
        """
        found: list[PictureVerdict] = []
        for data in pictures:
            # Results go before new inputs: otherwise a rush of requests would delay them indefinitely.
            one = await self._check(job, data, is_urgent=True)
            self._require_unlisted(job, one, hashlib.sha256(data).hexdigest())
            found.append(one)
        await self._decide(job, found, "result")

    async def admit_preview(self, job: Job, data: bytes) -> bool:
        """Return whether a preview may be shown: never one for which the result would be blocked.

        None is shown while other pictures are being checked: the next one comes soon, and inputs and results go first.
        """
        if self._checker.is_busy:
            return False
        try:
            found = await self._checker.check(data)
        except CheckFailed:
            return False
        if self._listed(job, found, hashlib.sha256(data).hexdigest()):
            return False
        decision = self._decision(job, [found])
        return decision is Decision.ALLOW or (decision is Decision.SPOILER and job.spoiler)

    async def _check(self, job: Job, data: bytes, *, is_urgent: bool = False) -> PictureVerdict:
        try:
            return await self._checker.check(data, is_urgent=is_urgent)
        except CheckFailed as error:
            # The job's own reference is shown with the sentence.
            log.error("a picture of job %s was not checked (%s) [%s]", job.job_id, error, reference_of(job.job_id))
            raise Refused("check_failed") from error

    async def _decide(self, job: Job, found: Sequence[PictureVerdict], what: str) -> None:
        await self._servers_known()
        score = highest(one.verdict for one in found).score(Label.NSFW)
        match self._decision(job, found):
            case Decision.BLOCK:
                self._note(job, f"{what}_blocked", score)
                raise Refused(f"{what}_blocked")
            case Decision.SPOILER if not job.spoiler:
                await self._jobs.hide(job.job_id)
                self._note(job, f"{what}_hidden", score)

    def _decision(self, job: Job, found: Sequence[PictureVerdict]) -> Decision:
        return decide_picture(
            highest(one.verdict for one in found),
            self.prompt_verdict(job),
            self._policies.of(job.guild_id),
            is_age_restricted=self._is_age_restricted(job.guild_id, job.channel_id),
        )

    def _require_unlisted(self, job: Job, found: PictureVerdict, sha256: str) -> None:
        if self._listed(job, found, sha256):
            self._note(job, "picture_listed", None)
            raise Refused("picture_listed")

    def _listed(self, job: Job, found: PictureVerdict, sha256: str) -> bool:
        def is_it(picture: BlockedPicture) -> bool:
            looks, other = picture.perceptual_hash, found.perceptual_hash
            return picture.sha256 == sha256 or bool(looks and other and is_alike(looks, other))

        return any(map(is_it, self._policies.pictures(job.guild_id)))
