"""What the hub and the way to it say, as a reason why a model is not there."""

from typing import Any

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from generation.catalog import ModelEntry
from generation.errors import ModelUnavailable
from generation.model_problems import ModelProblem


def hub_problem(entry: ModelEntry, error: Exception, otherwise: ModelProblem) -> ModelUnavailable:
    """Turn an error of the hub into one with a reason; ``otherwise`` is for those in which nobody answered.

    The order matters: GatedRepoError is a RepositoryNotFoundError, and all of them are HfHubHTTPErrors.
    """

    def problem(reason: ModelProblem, **data: Any) -> ModelUnavailable:
        return ModelUnavailable(entry.name, reason, **data)

    match error:
        case GatedRepoError():
            return problem(ModelProblem.GATED, url=f"https://huggingface.co/{entry.source}", licence=entry.licence)
        case RepositoryNotFoundError():
            return problem(ModelProblem.NOT_FOUND, source=entry.source)
        case RevisionNotFoundError() | RemoteEntryNotFoundError():
            return problem(ModelProblem.NO_SUCH_REVISION, source=entry.source, revision=entry.revision)
        case HfHubHTTPError() if error.response.status_code in (401, 403):
            return problem(ModelProblem.TOKEN_REFUSED)
        case HfHubHTTPError():
            return problem(ModelProblem.HUB_BUSY)
    return problem(otherwise, source=entry.source)
