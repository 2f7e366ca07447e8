"""The sentence of each reason for which the bot refuses something; ``bot.replies`` fills in the data."""

from collections.abc import Mapping

REFUSALS: Mapping[str, str] = {
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
