"""Checks every prompt and picture before it is shown; what cannot be checked is refused."""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from bot.errors import Refused
from bot.screening.policy import Decision, decide_picture, refusal_of_words
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

_MOST_REMEMBERED = 1000
# Of a server and a channel: may only adults be there?
IsAgeRestricted = Callable[[int | None, int], bool]
NoteDecision = Callable[[Job, str, float | None], None]


class Screening:
    """Decide about prompt, input picture, previews and result by verdict, policy and place.

    ``note`` is told of what was blocked or hidden, and with which score. ``servers_known`` is waited for before a
    picture is judged: after a restart jobs go on before Discord has said which channels are age-restricted.
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
        self._verdicts: dict[str, tuple[Collection[str], Verdict]] = {}  # of jobs, and the server's list at that time

    def require_welcome(self, requester_id: int, guild_id: int | None, owner_ids: Collection[int] = ()) -> None:
        """Raise Refused for whom the operator, the server's moderators or the picture's owners exclude.

        The reasons are ``member_blocked_everywhere``, ``member_blocked`` and ``remixing_off``.
        """
        if self._policies.is_blocked(EVERYWHERE, requester_id):
            raise Refused("member_blocked_everywhere")
        if self._policies.is_blocked(guild_id, requester_id):
            raise Refused("member_blocked")
        if any(owner_id != requester_id and self._remixing.is_refused(owner_id) for owner_id in owner_ids):
            raise Refused("remixing_off")

    def require_words(self, job: Job) -> None:
        """Raise Refused (``words_forbidden``, ``words_not_wanted``, ``words_sexual``) for what is not painted."""
        restricted = self._is_age_restricted(job.guild_id, job.channel_id)
        reason = refusal_of_words(self.words_of(job), is_age_restricted=restricted)
        if reason is not None:
            self._note(job, reason, None)
            raise Refused(reason)

    async def require_words_still(self, job: Job) -> None:
        """Do the same before a job runs, since moderators may have changed their lists while it waited."""
        await self._servers_known()
        self.require_words(job)

    def words_of(self, job: Job) -> Verdict:
        """Return the verdict on a job's words, read once for each list: every preview asks for it."""
        server_terms = self._policies.terms(job.guild_id)
        known = self._verdicts.get(job.job_id)
        if known is None or known[0] != server_terms:
            if known is None and len(self._verdicts) >= _MOST_REMEMBERED:
                del self._verdicts[next(iter(self._verdicts))]
            known = server_terms, check_prompt(job.prompt, job.negative_prompt, server_terms=server_terms)
            self._verdicts[job.job_id] = known
        return known[1]

    async def look_at_input(self, job: Job, clean: bytes, sha256: str) -> None:
        """Look at the picture that a job begins with; if it is to be hidden, so will be the result.

        ``clean`` is its decoded copy, ``sha256`` that of the file as sent. Raises Refused (``input_blocked``,
        ``picture_listed``, ``check_failed``).
        """
        found = await self._check(job, clean)
        self._require_unlisted(job, found, sha256)
        await self._decide(job, [found], "input")

    async def look_at_result(self, job: Job, pictures: Sequence[bytes]) -> None:
        """Look at finished pictures together, and remember if they are to be hidden.

        Raises Refused (``result_blocked``, ``picture_listed``, ``check_failed``).
        """
        found: list[PictureVerdict] = []
        for data in pictures:
            # Results go before new inputs: otherwise a crowd would hold them up for ever.
            one = await self._check(job, data, is_urgent=True)
            self._require_unlisted(job, one, hashlib.sha256(data).hexdigest())
            found.append(one)
        await self._decide(job, found, "result")

    async def admit_preview(self, job: Job, data: bytes) -> bool:
        """Tell whether a picture may be shown while it is painted: never what the result would be blocked for.

        While other pictures are looked at none is shown: the next one comes soon, and inputs and results go first.
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
            self.words_of(job),
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
