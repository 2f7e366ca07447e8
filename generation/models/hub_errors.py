"""Turns errors of the hub, and of the way to it, into reasons why a model is not there."""

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from generation.models.problems import ModelProblem


def reason_of(error: Exception, otherwise: ModelProblem) -> ModelProblem:
    """Return the reason of an error of the hub; ``otherwise`` is for errors without an answer.

    The order matters: GatedRepoError is a RepositoryNotFoundError, and all of them are HfHubHTTPErrors.
    """
    match error:
        case GatedRepoError():
            return ModelProblem.GATED
        case RepositoryNotFoundError():
            return ModelProblem.NOT_FOUND
        case RevisionNotFoundError() | RemoteEntryNotFoundError():
            return ModelProblem.NO_SUCH_REVISION
        case HfHubHTTPError() if error.response.status_code in (401, 403):
            return ModelProblem.TOKEN_REFUSED
        case HfHubHTTPError():
            return ModelProblem.HUB_BUSY
    return otherwise
