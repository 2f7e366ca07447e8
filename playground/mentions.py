"""Whom a message pings: the mentions in its text, filtered by ``allowed_mentions`` and by permissions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playground import errors
from playground.models import Json, Message

_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(everyone|here)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    user_ids: list[int]
    role_ids: list[int]
    everyone: bool


def resolve_mentions(
    content: str,
    allowed: Json | None,
    *,
    default_parse: tuple[str, ...],
    replied_to: Message | None,
    may_mention_everyone: bool,
    known_user_ids: set[int],
    known_role_ids: set[int],
) -> Mentions:
    """Return who is pinged (resources/message, "Allowed Mentions Object").

    Raises DiscordError if ``allowed`` both parses a kind and lists ids of it.
    """
    parse = set(default_parse)
    listed: dict[str, set[int]] = {"users": set(), "roles": set()}
    ping_author = True
    if allowed is not None:
        parse = {kind for kind in allowed.get("parse") or [] if kind}
        ping_author = bool(allowed.get("replied_user"))
        for kind in listed:
            listed[kind] = {int(value) for value in allowed.get(kind) or [] if value is not None}
            if kind in parse and listed[kind]:
                message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
                raise errors.invalid_field("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
    user_ids = _named(_USER, content, "users" in parse, listed["users"], known_user_ids)
    if replied_to is not None and ping_author and replied_to.author.id not in user_ids:
        user_ids.append(replied_to.author.id)
    return Mentions(
        user_ids=user_ids,
        role_ids=_named(_ROLE, content, "roles" in parse, listed["roles"], known_role_ids),
        everyone="everyone" in parse and may_mention_everyone and bool(_EVERYONE.search(content)),
    )


def _named(pattern: re.Pattern[str], content: str, parsed: bool, listed: set[int], known: set[int]) -> list[int]:
    found = dict.fromkeys(int(value) for value in pattern.findall(content))
    return [value for value in found if value in known and (parsed or value in listed)]
