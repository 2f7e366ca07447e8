"""Check that pictures can be screened; if they cannot, none is accepted."""

import base64

from bot.checks.findings import Finding, fail, ok
from generation.child import confinement
from generation.errors import CheckFailed
from generation.safety.checker import PictureChecker

# A PNG of one white pixel.
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
)


async def safety_finding(checker: PictureChecker) -> Finding:
    """Run the classifier on a test picture and report whether it works."""
    try:
        async with checker:
            await checker.check(_PICTURE)
    except CheckFailed as error:
        return fail(
            "safety",
            f"Pictures cannot be checked ({error}), so none would be accepted.",
            "Install the packages of requirements.lock again.",
        )
    walls = "are confined" if confinement.version() else "are not confined because this system does not offer Landlock"
    return ok("safety", f"Pictures can be checked before they are shown. The processes that read them {walls}.")
