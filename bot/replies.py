"""The one place of the bot where events and errors become sentences."""

from collections.abc import Mapping
from typing import Any

from bot.discord_api.permissions import permission_words
from bot.errors import Refused
from bot.escaping import escape_code, escape_text
from bot.refusals import REFUSALS
from bot.storage.defaults import Layer
from bot.storage.job import CancelReason, Job
from bot.storage.trouble import StorageTrouble
from generation import sentences
from generation.errors import GenerationError, ModelUnavailable
from generation.events import FailureKind
from generation.models.problems import ModelProblem, model_unavailable_sentence, one_of
from generation.units import plain_number

STRENGTH_NOT_USED = "-# This model doesn't use the strength: it looks at your picture and paints a new one."
PAINTED_AGAIN = "-# There wasn't enough memory at first, so I painted this again in a way that needs less."
TRIMMED = "-# I used only the middle of your picture because models can't paint anything longer than 4:1."
TRANSPARENT = (
    "-# Your picture has transparent parts, which I treated as white. Reply with `repaint: transparent` to change only"
    " those and keep the rest."
)
NOT_QUOTED = "-# This server's AutoMod doesn't let me repeat the words."
DEMO_MODEL = "-# Painted by the small demo model. The operator can set MODEL to a real one (see the README)."

# By the reason why a job was cancelled, if there is one.
CANCELLED: Mapping[str, str] = {
    CancelReason.BY_MODERATOR: " by a moderator",
    CancelReason.REQUEST_DELETED: " because the message that asked for it was deleted",
    CancelReason.REQUEST_EDITED: " because you edited your message; I've taken the new version instead",
}

_MAX_CHARACTERS = 2000  # limit of one message

# An option's name in commands, if it differs from the field's name.
OPTION_NAMES: Mapping[str, str] = {"num_inference_steps": "steps"}

# The others would reveal folders and files of the operator's machine; they are in the log.
_MODEL_REASONS_FOR_MEMBERS = (ModelProblem.UNKNOWN, ModelProblem.NOT_DOWNLOADED, ModelProblem.GATED)

# Who has set a limit, by its layer.
SET_BY: Mapping[str, str] = {
    Layer.CHANNEL: "set for this channel",
    Layer.SERVER: "set for this server",
    Layer.OPERATOR: "set by the operator",
}


def refusal_sentence(reason: str, data: Mapping[str, Any]) -> str:
    """Return the sentence of one of the bot's own refusals."""
    shown = dict(data)
    if "max_bytes" in data:
        shown["max_mebibytes"] = data["max_bytes"] // 1024**2
    if "limit" in data:
        shown["limit"] = plain_number(data["limit"])
    if "max_waiting" in data:
        shown["waiting_requests"] = counted(data["max_waiting"], "request")
    if "allowed" in data:
        shown["other"] = one_of([escape_text(name) for name in data["allowed"]])
    if "text" in data:
        shown["text"] = escape_text(data["text"])
    if "value" in data:
        shown["value"] = escape_code(data["value"])
    if "name" in data:
        shown["option"] = OPTION_NAMES.get(data["name"], data["name"])
    if "layer" in data:
        shown["set_by"] = SET_BY[data["layer"]]
    if "permissions" in data:
        shown["permission_names"] = permission_words(data["permissions"])
    shown["kind_of_number"] = "a whole number" if data.get("is_whole") else "a number"
    return REFUSALS[reason].format_map(shown)


def error_sentence(error: BaseException) -> str | None:
    """Return the sentence of an error that was raised on purpose; None for any other."""
    if isinstance(error, Refused):
        return refusal_sentence(error.reason, error.data)
    if isinstance(error, StorageTrouble):
        return refusal_sentence(error.reason, {})
    if isinstance(error, ModelUnavailable) and error.reason == ModelProblem.UNKNOWN:
        known = [escape_text(name) for name in error.data.get("known", ())]
        return model_unavailable_sentence(escape_text(error.model, 80), error.reason, {"known": known})
    if isinstance(error, GenerationError):
        return sentences.error_sentence(error)
    return None


def ladder_hint(number: int, strength: float) -> str:
    """Say how to continue with one picture of a ladder, with picture ``number`` and its strength as the example."""
    return (
        f"-# To continue from one of these, reply with `again, strength {strength:g}` for more like it, or with"
        f" `picture {number}` and new words to paint over it."
    )


def counted(count: float, one: str, many: str | None = None) -> str:
    """Return a number with its noun, in singular or plural."""
    return f"{count:g} {one if count == 1 else many or f'{one}s'}"


def unknown_error(reference: str) -> str:
    """Return the sentence for an unexpected error."""
    return (
        f"Something went wrong on my side. If it happens again, please tell the operator this reference: `{reference}`."
    )


def with_typed_prompt(sentence: str, prompt: str) -> str:
    """Append the prompt of a refused request, ready to be copied; both fit into one message."""
    typed = prompt.replace("```", "'" * 3)
    given_back = f"\n```\n{typed[:1600]}\n```" if prompt else ""
    room = _MAX_CHARACTERS - len(given_back)
    return f"{sentence if len(sentence) <= room else sentence[: room - 1] + '…'}{given_back}"


def job_sentence(job: Job) -> str:
    """Return why a job ended without a picture."""
    kind = job.failure_kind
    if kind is None:
        return "I stopped this because there was nobody left to send it to."
    if kind == FailureKind.MODEL_UNAVAILABLE and job.failure_data.get("reason") not in _MODEL_REASONS_FOR_MEMBERS:
        return f"I can't use the model {job.model} at the moment. Please choose another one, or tell the operator."
    if kind in REFUSALS:
        return refusal_sentence(kind, job.failure_data)
    return sentences.failure_sentence(FailureKind(kind), job.failure_data, job.failure_reference or "")


def fitting(text: str) -> str:
    """Return a text that fits into one message; a longer one is cut to its first lines and a count of the others."""
    if len(text) <= _MAX_CHARACTERS:
        return text
    kept, line_end, _ = text[: _MAX_CHARACTERS - len("\n… and 999 more")].rpartition("\n")
    if not line_end:
        return text[: _MAX_CHARACTERS - 1] + "…"
    return f"{kept}\n… and {text.count(line_end) - kept.count(line_end)} more"


def role_mentioned(mention: str) -> str:
    """Explain why mentioning the bot's role, which has the bot's name, has no effect."""
    return (
        f"You mentioned my role, but Discord only shows me messages that mention me directly. Please write {mention}."
    )


def reported(*, is_new: bool, is_server: bool) -> str:
    """Thank a member for a report."""
    if not is_new:
        return "🚩 You've already reported this. Thank you."
    return f"🚩 Thank you. {'The moderators' if is_server else 'The operator of the bot'} will see it."


def model_gone(name: str) -> str:
    """Return the hint in a form that a model is no longer offered; Discord allows 100 characters there."""
    return f"{name[:31]} is no longer offered here: name another, or I'll use the usual model"


def moved_to_direct_messages(link: str) -> str:
    """Say where a request from a place without the bot is handled."""
    return f"I'm not a member here, so I'm painting this in our direct messages: {link}"


def another_picture(*, needs_mention: bool, has_mask: bool) -> str:
    """Say how to continue with another picture, or another picture and mask.

    Replying to a command's response pings nobody, and without a mention Discord does not show the reply to the bot.
    """
    words = " and mention me" if needs_mention else " (no words needed)"
    if has_mask:
        return f"-# Reply to this with your picture and then its mask{words}, and I'll try again with those."
    return f"-# Reply to this with another picture{words}, and I'll paint the same over that one."


def ignored_pictures(count: int, *, of_result: bool) -> str:
    """Say that only the first of several pictures was used: those of a message, or those of a result."""
    if of_result:
        return (
            f"-# I used the first of its {count + 1} pictures."
            " To use another one, reply to it with `picture 2` and new words."
        )
    return f"-# I used the first of your pictures and left out {count} more."


def encoded_smaller(media_type: str) -> str:
    """Say that the result is not the usual PNG."""
    kind = {"image/webp": "WebP", "image/jpeg": "JPEG"}[media_type]
    return f"-# Sent as {kind}, because the PNG is too large for Discord here."
