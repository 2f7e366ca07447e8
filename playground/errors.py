"""Errors in Discord's form: a status, a JSON code and, for an invalid body, a tree of errors."""

from __future__ import annotations

from playground.models import Json


class DiscordError(Exception):
    """An error response of Discord.

    ``errors`` is the tree of https://discord.com/developers/docs/reference#error-messages, or None.
    """

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} ({code}): {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> Json:
        """Return the JSON body of the response."""
        body: Json = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


# Codes and messages: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
def unauthorized() -> DiscordError:
    return DiscordError(401, 0, "401: Unauthorized")


def not_found() -> DiscordError:
    return DiscordError(404, 0, "404: Not Found")


def unknown_channel() -> DiscordError:
    return DiscordError(404, 10003, "Unknown Channel")


def unknown_guild() -> DiscordError:
    return DiscordError(404, 10004, "Unknown Guild")


def unknown_member() -> DiscordError:
    return DiscordError(404, 10007, "Unknown Member")


def unknown_message() -> DiscordError:
    return DiscordError(404, 10008, "Unknown Message")


def unknown_user() -> DiscordError:
    return DiscordError(404, 10013, "Unknown User")


def unknown_webhook() -> DiscordError:
    return DiscordError(404, 10015, "Unknown Webhook")


def unknown_interaction() -> DiscordError:
    return DiscordError(404, 10062, "Unknown interaction")


def unknown_command() -> DiscordError:
    return DiscordError(404, 10063, "Unknown application command")


def too_many_followups() -> DiscordError:
    return DiscordError(400, 40094, "This interaction has hit the maximum number of follow up messages")


def already_acknowledged() -> DiscordError:
    return DiscordError(400, 40060, "Interaction has already been acknowledged.")


def entity_too_large() -> DiscordError:
    return DiscordError(413, 40005, "Request entity too large")


def missing_access() -> DiscordError:
    return DiscordError(403, 50001, "Missing Access")


def foreign_author() -> DiscordError:
    return DiscordError(403, 50005, "Cannot edit a message authored by another user")


def empty_message() -> DiscordError:
    return DiscordError(400, 50006, "Cannot send an empty message")


def cannot_message_user() -> DiscordError:
    return DiscordError(403, 50007, "Cannot send messages to this user")


def missing_permissions() -> DiscordError:
    return DiscordError(403, 50013, "Missing Permissions")


def invalid_webhook_token() -> DiscordError:
    return DiscordError(401, 50027, "Invalid Webhook Token")


def invalid_json() -> DiscordError:
    return DiscordError(400, 50109, "The request body contains invalid JSON.")


def cannot_reply_without_history() -> DiscordError:
    return DiscordError(400, 160002, "You cannot reply without permission to read message history")


def thread_is_archived() -> DiscordError:
    return DiscordError(400, 50083, "Thread is archived")


def thread_is_locked() -> DiscordError:
    return DiscordError(400, 160005, "Thread is locked")


def stopped_by_automod() -> DiscordError:
    return DiscordError(400, 200000, "Message was blocked by automatic moderation")


def invalid_form(errors: Json) -> DiscordError:
    """Return the error for a body with the given tree of errors."""
    return DiscordError(400, 50035, "Invalid Form Body", errors)


def invalid_field(path: str, code: str, message: str) -> DiscordError:
    """Return the error for a body with one invalid field at ``path`` (``"components.0.custom_id"``)."""
    tree: Json = {}
    add_error(tree, path.split(".") if path else [], code, message)
    return invalid_form(tree)


def add_error(tree: Json, path: list[str], code: str, message: str) -> None:
    """Add one error to the tree at ``path``."""
    for key in path:
        tree = tree.setdefault(key, {})
    tree.setdefault("_errors", []).append({"code": code, "message": message})
