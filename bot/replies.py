"""The one place of the bot where events and errors become sentences."""

from collections.abc import Mapping
from typing import Any

from bot.discord_api.permissions import permission_words
from bot.errors import Refused
from bot.escaping import escape_code, escape_text
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

_REFUSALS: Mapping[str, str] = {
    "attachment_gone": "The picture is no longer available on Discord. Please send it again.",
    "attachment_too_large": "The file is larger than {max_mebibytes} MiB. Please send a smaller one.",
    "budget_spent": (
        "You've used up your {seconds} s of painting time for 24 hours ({set_by}). You'll have more <t:{until}:R>."
    ),
    "bot_died": (
        "I crashed {times} times while painting this, so I've stopped trying."
        " Please try a smaller size or another picture."
    ),
    "check_failed": (
        "I couldn't check the picture just now, and I don't use or post unchecked pictures. Please try again later."
    ),
    "cancelled_unstored": (
        "I've cancelled this, but I can't save that right now: if I restart before the operator has fixed my disk,"
        " it will start over."
    ),
    "channel_gone": "The channel or message that this belonged to no longer exists.",
    "closed_to_the_bot": (
        "Discord won't let me do that here. Please ask a moderator to check my permissions in this channel."
    ),
    "command_unknown": "I don't have this command any more. `/help` shows what I can do.",
    "cooldown": "You have to wait between requests ({set_by}). You can ask again <t:{until}:R>.",
    "edited_too_late": (
        "I've already started painting what you wrote before. Please press **Cancel** there and edit your message"
        " again, or reply to the picture when it's done."
    ),
    "form_expired": (
        "This form has expired: you've opened another one, I've restarted, or it was open for too long."
        " Please open it again."
    ),
    "direct_messages_closed": (
        "I'm not a member here, so I'd paint this in our direct messages, but Discord doesn't let me write to you."
        " Please allow direct messages in your privacy settings, unblock me if you've blocked me, or join a server that"
        " I'm in, and try again."
    ),
    "direct_messages_paused": (
        "I'm not a member here, so I'd paint this in our direct messages, but I've opened too many of those recently"
        " and have to wait. Please try again in a few minutes."
    ),
    "direct_messages_refused": (
        "I'm not a member here, so I'd paint this in our direct messages, but Discord has refused several that I sent"
        " you. Please allow direct messages in your privacy settings or unblock me, and try again in ten minutes."
    ),
    "direct_queue_full": (
        "The queue for direct messages is full, with {waiting_requests} in it already. Please try again in a few"
        " minutes, or ask me in a server that I'm in."
    ),
    "discord_trouble": "Discord didn't answer me just now. Please try again.",
    "download_failed": "I couldn't download the picture from Discord just now. Please send it again.",
    "host_not_allowed": "I can only download pictures from Discord itself. Please attach the picture instead.",
    "input_blocked": "I can't use this picture here because it looks sexual. Please choose another one.",
    "input_expired": "I no longer have the picture that this started from. Please send it again with `/img2img`.",
    "job_unknown": "I no longer have this request on record. Please start a new one with `/img2img`.",
    "ladder_and_strength": "A ladder has several strengths of its own. Please choose one strength or the ladder.",
    "list_full": "The list is full: it already has {limit} entries. Please remove one first.",
    "terms_full": "The list can hold {limit} characters, and this would be too many. Please remove an entry first.",
    "closed_meanwhile": (
        "I don't have access to this channel any more, so I didn't start painting. Please ask a moderator to let me in."
    ),
    "may_not_write": "You can't write in this channel, so I won't post here for you either.",
    "mask_and_all": (
        "You sent a mask, but chose to repaint everything. Please choose one: `repaint: mask` or `repaint: all`."
    ),
    "member_blocked_everywhere": "The operator of this bot has blocked you from asking for pictures.",
    "member_blocked": "The moderators of this server have blocked you from asking for pictures here.",
    "member_queue_full": (
        "You already have {waiting_requests} in the queue, which is the limit."
        " Please wait until one is done, or cancel one."
    ),
    "missing_permissions": (
        "I can't post in the channel because I'm missing permissions ({permission_names})."
        " Please ask a moderator to grant them."
    ),
    "draining": (
        "I'm finishing what's in the queue and not taking any new requests at the moment. Please try again later."
    ),
    "given_up_by_button": (
        "To cancel a request, press **Cancel** under it. To delete a picture, press **Delete** under it."
        " `/queue` has links to your requests."
    ),
    "no_enlarging": (
        "I can't enlarge a picture as it is. To have it painted again with more pixels, reply to it with a larger size,"
        " such as `size 768`."
    ),
    "no_mask": (
        "There's no second picture to use as the mask. Please send both pictures in one message, first yours, then the"
        " mask: white where yours should change, black where it should stay."
    ),
    "no_picture": (
        "I don't see a picture there. Please attach one, or reply to one of mine."
        " For any other picture, right-click (long-press) its message → Apps → **Remix**."
    ),
    "no_term": "There are no letters in that. Please enter a word or a phrase.",
    "not_in_server": (
        "This server has my commands but not me, so I can't post pictures here."
        " Please ask someone who manages the server to invite me as a bot."
    ),
    "not_listed": "That isn't on the list.",
    "no_prompt": "What should it become? Please reply to this with a few words.",
    "no_words": (
        "I don't see any words in “{text}”. Please write what to paint, or name the option, such as `strength 0.7`."
    ),
    "nothing_to_change": "What should be different? Please reply with new words or an option, such as `strength 0.7`.",
    "not_a_moderator": "Only members with the permission Manage Server can do this.",
    "not_taken_yet": "I'm still fetching the picture that this starts from. Please try again in a moment.",
    "not_done_yet": "That picture isn't done yet. Please reply once it's there.",
    "not_the_operator": "Only the operator of this bot can do this.",
    "not_allowed_here": (
        "The picture is done, but I can't post in this channel any more. Please ask a moderator to let me in."
    ),
    "not_allowed_to_write": (
        "The picture is done, but Discord doesn't let me write to you any more. Please allow direct messages in your"
        " privacy settings, and try again."
    ),
    "not_yours_to_cancel": "Only the person who asked for this, or a moderator, can cancel it.",
    "not_yours_to_delete": "Only the person who asked for this, or a moderator, can delete it.",
    "not_yours_to_show": "Only the person whose picture this started from can show it here.",
    "not_an_option": (
        "I don't understand “{text}” as an option. Under **More**, please write options by name, such as `steps 20`;"
        " everything else belongs in the prompt."
    ),
    "not_understood": "I don't understand `{option} {value}`. Please give {kind_of_number}, or leave it out.",
    "option_unknown": "I don't know the option `{option}`. The ones I know are {known}.",
    "option_misspelt": "I don't know the option `{option}`. Did you mean `{meant}`?",
    "option_twice": "You gave `{option}` twice. Please give it only once.",
    "option_without_value": "What should `{option}` be? Please write a value after it, or leave it out.",
    "past_limit": "The limit for {option} here is {limit} ({set_by}). Please choose that or less.",
    "past_limit_of_ladder": (
        "The limit for {option} here is {limit} ({set_by}), which is too low for a ladder of several strengths."
        " Please choose one strength."
    ),
    "model_not_allowed": "The model {model} isn't allowed here ({set_by}). Please choose {other}.",
    "picture_not_visible": (
        "I can't see a picture in the message that you're replying to."
        " Please right-click (long-press) that message → Apps → **Remix**."
    ),
    "remixing_off": "The owner of this picture doesn't want others to paint over it. Please choose another one.",
    "repaint_not_understood": (
        "I don't understand `{option} {value}`. Please write `repaint: transparent`, `repaint: mask` or `repaint: all`."
    ),
    "result_blocked": "I can't show the result here because it looks sexual. Please try other words.",
    "result_gone": "There's no finished picture there. To start a new one, send a picture with `/img2img`.",
    "role_not_allowed": "Your roles don't let you ask for pictures in this server. Please ask a moderator.",
    "server_only": "This only works in a server.",
    "nothing_to_set": "Please give at least one value to set.",
    "default_past_limit": "The default for {option} can't be higher than its maximum, {limit}.",
    "picture_listed": "The moderators of this server don't allow this picture here. Please try another one.",
    "queue_full": "The queue is full, with {waiting_requests} in it already. Please try again in a few minutes.",
    "server_queue_full": (
        "This server's queue is full, with {waiting_requests} in it already. Please try again in a few minutes."
    ),
    "result_lost": "The finished picture got lost on my disk. Please send your picture again.",
    "upload_too_large": "The picture is too large for Discord in this channel. Please ask for a smaller size.",
    "shutting_down": "I'm restarting right now. Please try again in a minute.",
    "size_too_large": "{model} can paint up to size {max_size}. Please choose that or less.",
    "stopped_by_automod": "This server's AutoMod doesn't let me repeat these words. Please choose others.",
    "strength_not_understood": (
        "I don't understand `{option} {value}`. Please give a number such as 0.6, or write subtle, balanced, strong or"
        " ladder."
    ),
    "storage_trouble": "I can't save anything right now. Please try again later; the operator has been told.",
    "timed_out": "A moderator of this server has timed me out. I can paint here again <t:{until}:R>.",
    "too_late_to_cancel": "This is already over, so there's nothing left to cancel.",
    "words_forbidden": "I don't paint anything sexual involving minors. If you mean adults, please say woman or man.",
    "words_not_wanted": "The moderators of this server don't allow some of these words here. Please choose others.",
    "words_sexual": "I don't paint anything sexual here. It may be allowed in an age-restricted channel.",
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
    return _REFUSALS[reason].format_map(shown)


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
