"""What fails for a moment is tried again, what is refused is refused at once."""

import pytest

from bot.errors import Refused
from bot.jobs import intake
from bot.jobs.intake import once_more


class Work:
    """Fails with these reasons in turn, then succeeds."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        self.done = 0

    async def do(self) -> str:
        self.done += 1
        if self.reasons:
            raise Refused(self.reasons.pop(0))
        return "done"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_PAUSES_SECONDS", (0.0, 0.0))


async def test_what_passes_is_tried_again() -> None:
    work = Work("check_failed", "download_failed")
    assert await once_more(work.do) == "done"
    assert work.done == 3


async def test_what_does_not_pass_is_given_up_in_the_end() -> None:
    work = Work(*["check_failed"] * 4)
    with pytest.raises(Refused, match="check_failed"):
        await once_more(work.do)
    assert work.done == 3


async def test_a_refusal_is_not_asked_for_twice() -> None:
    work = Work("picture_blocked")
    with pytest.raises(Refused, match="picture_blocked"):
        await once_more(work.do)
    assert work.done == 1
