"""The one place of the bot where events and errors become sentences."""

from collections.abc import Mapping
from typing import Any

from bot.discord_api.permissions import permission_words
from bot.errors import Refused
from bot.inert import inert, inert_code
from bot.storage.job import CancelReason, Job
from bot.storage.trouble import StorageTrouble
from generation import sentences
from generation.errors import GenerationError, ModelUnavailable
from generation.events import FailureKind
from generation.models.problems import ModelProblem, model_unavailable_sentence, one_of
from generation.units import plain_number

STRENGTH_NOT_USED = "-# This model has no use for the strength: it looks at your picture and paints a new one."
PAINTED_AGAIN = "-# The memory did not suffice at first, so this was painted again in a way that wants less."
TRIMMED = "-# Only the middle of your picture was used, because models paint nothing longer than 4:1."
NOT_QUOTED = "-# This server's AutoMod does not let me repeat the words."
DEMO_MODEL = "-# Painted by the small demo model. The operator can set MODEL to a real one: see the README."

# By the reason why a job was cancelled, if there is one.
CANCELLED: Mapping[str, str] = {
    CancelReason.BY_MODERATOR: " by a moderator",
    CancelReason.REQUEST_DELETED: ", because the message that asked for it was deleted",
    CancelReason.REQUEST_EDITED: ", because you have edited your message: I have taken what it says now instead",
}

_MAX_CHARACTERS = 2000  # limit of one message

# An option's name in commands, if it differs from the field's name.
OPTION_NAMES: Mapping[str, str] = {"num_inference_steps": "steps"}

# The others would reveal folders and files of the operator's machine; they are in the log.
_MODEL_REASONS_FOR_MEMBERS = (ModelProblem.UNKNOWN, ModelProblem.NOT_DOWNLOADED, ModelProblem.GATED)

_REFUSALS: Mapping[str, str] = {
    "attachment_gone": "Your picture is no longer there to be downloaded. Please send it again.",
    "attachment_too_large": "Your file is larger than {max_mebibytes} MiB. Please send a smaller one.",
    "budget_spent": (
        "The {layer} gives you {seconds} s of painting in 24 hours, and they are used up;"
        " there will be more <t:{until}:R>."
    ),
    "bot_died": (
        "I stopped working {times} times while I painted this, so I have given it up."
        " Please try a smaller size or another picture."
    ),
    "check_failed": "I could not check the picture just now, so I do not use it. Please try again later.",
    "cancelled_unstored": (
        "I have given it up, but cannot write that down just now: if I am restarted before the operator has mended my"
        " disk, it begins anew."
    ),
    "channel_gone": "The channel or message that this belonged to is gone.",
    "closed_to_the_bot": "Discord does not let me do that here. Please ask a moderator what I may do in this channel.",
    "command_unknown": "I do not have this command any more. `/help` shows what I can do.",
    "cooldown": "The {layer} wants a pause between two requests: you can ask again <t:{until}:R>.",
    "edited_too_late": (
        "I am painting what you wrote first. Please press **Cancel** there and edit your message once more,"
        " or reply to the picture when it is done."
    ),
    "form_expired": (
        "This form was opened before another one, before my last start, or too long ago. Please open it once more."
    ),
    "discord_trouble": "Discord did not answer me just now. Please try again.",
    "download_failed": "Your picture could not be downloaded from Discord just now. Please send it again.",
    "host_not_allowed": "Pictures are taken from Discord's own servers only. Please attach the picture itself.",
    "input_blocked": "I do not take this picture here: it looks sexual to me. Please choose another one.",
    "input_expired": "The picture that this began with is no longer kept. Please send it again with `/img2img`.",
    "job_unknown": "Nothing is known any more about this picture. Please begin anew with `/img2img`.",
    "ladder_and_strength": "A ladder has several strengths of its own. Please choose one strength, or the ladder.",
    "list_full": "The list has {limit} entries already. Please take one off first.",
    "terms_full": "The list holds nearly {limit} characters already, the most that it may. Please take one off first.",
    "closed_meanwhile": "I am not let into this channel any more, so I did not begin. Please ask a moderator.",
    "may_not_write": "You may not write in this channel, so I write nothing for you there either.",
    "member_blocked_everywhere": "The operator of this bot does not let you ask for pictures.",
    "member_blocked": "The moderators of this server do not let you ask for pictures here.",
    "member_queue_full": (
        "You have {waiting_requests} waiting already, the most that you may."
        " Please wait until one is done, or cancel one."
    ),
    "missing_permissions": (
        "I may not answer here: I lack {permission_names}. Please ask a moderator to allow it in this channel."
    ),
    "draining": "I am finishing what waits and take nothing new at the moment. Please try again later.",
    "given_up_by_button": (
        "Please press **Cancel** under what waits, or **Delete** under a picture. `/queue` leads to what waits."
    ),
    "no_enlarging": (
        "I cannot enlarge a picture as it is. To have it painted anew with more pixels, reply to it with a larger size,"
        " such as `size 768`."
    ),
    "no_picture": (
        "I see no picture there. Please attach one, or reply to one of mine;"
        " for any other, right-click (long-press) it → Apps → **Remix**."
    ),
    "no_term": "There are no letters in that. Please write a word or a phrase.",
    "not_in_server": (
        "This server has my commands, but not me, so I could not post the picture."
        " Please ask somebody who manages it to invite me as a bot."
    ),
    "not_listed": "That is not on the list.",
    "no_prompt": "What should it become? Please reply to this with a few words.",
    "no_words": ("I see no words in “{text}”. Please write what to paint, or name the option, such as `strength 0.7`."),
    "nothing_to_change": "What should be different? Please reply with new words, or with `strength 0.7` or the like.",
    "not_a_moderator": "This is for people who may manage the server.",
    "not_taken_yet": "The picture that this begins with is only just being taken in. Please try again in a moment.",
    "not_done_yet": "That picture is not done yet. Please reply once it is there.",
    "not_the_operator": "This is for the operator of the bot.",
    "not_allowed_here": "The picture is done, but I may not post in this channel any more. Please ask a moderator.",
    "not_yours_to_cancel": "Only the person who asked for this, or a moderator, can cancel it.",
    "not_yours_to_delete": "Only the person who asked for this, or a moderator, can delete it.",
    "not_an_option": (
        "I do not understand “{text}” among the options. Please write options by name there, such as `steps 20`,"
        " and words into the prompt."
    ),
    "not_understood": "I do not understand `{option} {value}`. Please give the number that you mean, or leave it out.",
    "option_unknown": "I do not know the option `{option}`. Those that I know are {known}.",
    "option_misspelt": "I do not know the option `{option}`. Did you mean `{meant}`?",
    "option_twice": "You named `{option}` twice. Please name it once.",
    "option_without_value": "What should `{option}` be? Please write a value after it, or leave it out.",
    "past_limit": "The {layer} allows {option} up to {limit} here. Please choose that or less.",
    "past_limit_of_ladder": (
        "The {layer} allows {option} up to {limit} here, which leaves no ladder of several strengths."
        " Please choose one strength."
    ),
    "model_not_allowed": "The {layer} does not allow the model {model} here. Please choose {other}.",
    "picture_not_visible": (
        "I cannot see a picture in the message that you reply to."
        " Right-click (long-press) the picture → Apps → **Remix**."
    ),
    "remixing_off": "Whoever this picture belongs to does not want others to paint over it.",
    "result_blocked": "The picture that came out looks sexual to me, so I do not show it here. Please try other words.",
    "result_gone": "There is no result of that to begin with. Please send a picture with `/img2img`.",
    "role_not_allowed": (
        "The moderators of this server let only some roles ask for pictures, and you have none of them."
    ),
    "server_only": "This can be set in servers only.",
    "nothing_to_set": "Please name at least one value to set.",
    "default_past_limit": "The default for {option} cannot be beyond its maximum, {limit}.",
    "picture_listed": "The moderators of this server do not want this picture here. Please choose another one.",
    "queue_full": "The queue is full, with {waiting_requests} waiting already. Please try again in a few minutes.",
    "server_queue_full": (
        "This server's queue is full, with {waiting_requests} waiting already. Please try again in a few minutes."
    ),
    "result_lost": "The finished picture was lost from my disk. Please send your picture again.",
    "upload_too_large": "Discord refuses the picture as too large for this channel. Please ask for a smaller size.",
    "shutting_down": "I am just being restarted. Please try again in a minute.",
    "size_too_large": "{model} paints up to size {max_size}. Please choose that or less.",
    "stopped_by_automod": "This server's AutoMod does not let me write these words. Please choose others.",
    "strength_not_understood": (
        "I do not understand `{option} {value}`. Please give a number such as 0.6, or say subtle, balanced, strong or"
        " ladder."
    ),
    "storage_trouble": "I cannot store anything just now. Please try again later; the operator has been told.",
    "timed_out": "Moderators of this server have timed me out; I can paint here again <t:{until}:R>.",
    "too_late_to_cancel": "This is over already.",
    "words_forbidden": "I do not paint anything sexual with minors. If you mean adults, please say woman or man.",
    "words_not_wanted": "The moderators of this server do not want some of these words here. Please choose others.",
    "words_sexual": "I paint nothing sexual here. In an age-restricted channel it may be allowed.",
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
        shown["other"] = one_of([inert(name) for name in data["allowed"]])
    if "text" in data:
        shown["text"] = inert(data["text"])
    if "value" in data:
        shown["value"] = inert_code(data["value"])
    if "name" in data:
        shown["option"] = OPTION_NAMES.get(data["name"], data["name"])
    if "permissions" in data:
        shown["permission_names"] = permission_words(data["permissions"])
    return _REFUSALS[reason].format_map(shown)


def error_sentence(error: BaseException) -> str | None:
    """Return the sentence of an error that was raised on purpose; None for any other."""
    if isinstance(error, Refused):
        return refusal_sentence(error.reason, error.data)
    if isinstance(error, StorageTrouble):
        return refusal_sentence(error.reason, {})
    if isinstance(error, ModelUnavailable) and error.reason == ModelProblem.UNKNOWN:
        known = [inert(name) for name in error.data.get("known", ())]
        return model_unavailable_sentence(inert(error.model, 80), error.reason, {"known": known})
    if isinstance(error, GenerationError):
        return sentences.error_sentence(error)
    return None


def ladder_hint(number: int, strength: float) -> str:
    """Say how to continue with one picture of a ladder, with picture ``number`` and its strength as the example."""
    return (
        f"-# To go on from one of them, reply with `again, strength {strength:g}` for more like it, or with"
        f" `picture {number}` and new words to paint over it."
    )


def counted(count: float, one: str, many: str | None = None) -> str:
    """Return a number with its noun, in singular or plural."""
    return f"{count:g} {one if count == 1 else many or f'{one}s'}"


def unknown_error(reference: str) -> str:
    """Return the sentence for an unexpected error."""
    return f"Something went wrong on my side. If it happens again, tell the operator this reference: `{reference}`."


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
        return "This was given up because nobody was left to answer."
    if kind == FailureKind.MODEL_UNAVAILABLE and job.failure_data.get("reason") not in _MODEL_REASONS_FOR_MEMBERS:
        return f"The model {job.model} cannot be used at the moment. Please choose another one, or tell the operator."
    if kind in _REFUSALS:
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
    return f"You have mentioned my role; Discord shows me only messages that mention me myself. Please write {mention}."


def reported(*, is_new: bool, is_server: bool) -> str:
    """Thank a member for a report."""
    if not is_new:
        return "🚩 You have reported this before. Thank you."
    return f"🚩 Thank you. {'The moderators' if is_server else 'The operator of the bot'} will see it."


def another_picture(*, needs_mention: bool) -> str:
    """Say how to continue with another picture.

    Replying to a command's response pings nobody, and without a mention Discord does not show the reply to the bot.
    """
    words = "a mention of me" if needs_mention else "no words"
    return f"-# Reply to this with another picture and {words}, and I paint the same over that."


def ignored_pictures(count: int, *, of_result: bool) -> str:
    """Say that only the first of several pictures was used: those of a message, or those of a result."""
    if of_result:
        return f"-# The first of its {count + 1} pictures was taken; a reply to it with `picture 2` takes another."
    return f"-# The first of your pictures was taken; {count} more came with it."


def encoded_smaller(media_type: str) -> str:
    """Say that the result is not the usual PNG."""
    kind = {"image/webp": "WebP", "image/jpeg": "JPEG"}[media_type]
    return f"-# Sent as {kind}, because the PNG is larger than Discord takes here."
