"""Checks of messages and modals that Discord's OpenAPI document cannot express."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playground import errors, limits
from playground.models import Json, MessageFlags

_BUTTON, _ACTION_ROW, _LINK_STYLE, _PREMIUM_STYLE = 2, 1, 5, 6
_EMBED_TEXTS = ("title", "description", "footer.text", "author.name")


def check_message(payload: Json, flags: MessageFlags) -> None:
    """Reject a message body that breaks one of Discord's limits, with code 50035."""
    tree: Json = {}
    content = payload.get("content") or ""
    if len(content) > limits.CONTENT_CHARACTERS:
        errors.add_error(tree, ["content"], *_too_long(limits.CONTENT_CHARACTERS))
    nonce = payload.get("nonce")
    if nonce is not None and len(str(nonce)) > limits.NONCE_CHARACTERS:
        errors.add_error(tree, ["nonce"], *_too_long(limits.NONCE_CHARACTERS))
    _check_embeds(payload.get("embeds") or [], tree)
    check_components(payload.get("components") or [], tree, v2=MessageFlags.COMPONENTS_V2 in flags)
    if MessageFlags.COMPONENTS_V2 in flags:
        for key in ("content", "embeds"):
            if payload.get(key):
                words = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                errors.add_error(tree, [key], "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", words)
    if tree:
        raise errors.invalid_form(tree)


def check_modal(data: Json) -> None:
    """Reject a modal with invalid custom ids, its own or its fields'."""
    tree: Json = {}
    check_components(data.get("components") or [], tree, v2=True)
    if tree:
        raise errors.invalid_form(tree)


def _check_embeds(embeds: list[Json], tree: Json) -> None:
    if len(embeds) > limits.EMBEDS_PER_MESSAGE:
        errors.add_error(tree, ["embeds"], "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    total = 0
    for number, embed in enumerate(embeds):
        before = total
        for path in _EMBED_TEXTS:
            total += len(str(_dig(embed, path) or ""))
        for field in embed.get("fields") or []:
            total += len(field.get("name") or "") + len(field.get("value") or "")
        if total > limits.EMBED_CHARACTERS >= before:
            words = f"Embed size exceeds maximum size of {limits.EMBED_CHARACTERS}"
            errors.add_error(tree, ["embeds", str(number)], "MAX_EMBED_SIZE_EXCEEDED", words)


def check_components(components: list[Json], tree: Json, *, v2: bool) -> None:
    """Add errors about rows, custom ids and the number of components to ``tree``."""
    every = list(walk_components(components, ["components"]))
    if len(every) > limits.COMPONENTS_PER_MESSAGE:
        errors.add_error(tree, ["components"], "BASE_TYPE_MAX_LENGTH", "Must be 40 or fewer in length.")
    if not v2:
        if len(components) > limits.ACTION_ROWS:
            errors.add_error(tree, ["components"], "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        for number, component in enumerate(components):
            if component.get("type") != _ACTION_ROW:
                words = 'Value of field "type" must be one of (1,).'
                errors.add_error(tree, ["components", str(number), "type"], "UNION_TYPE_CHOICES", words)
    seen: set[str] = set()
    for path, component in every:
        custom_id = component.get("custom_id")
        if custom_id is not None and len(str(custom_id)) > limits.CUSTOM_ID_CHARACTERS:
            errors.add_error(tree, [*path, "custom_id"], *_too_long(limits.CUSTOM_ID_CHARACTERS))
        if custom_id is not None and custom_id in seen:
            words = "Component custom id cannot be duplicated"
            errors.add_error(tree, [*path, "custom_id"], "COMPONENT_CUSTOM_ID_DUPLICATED", words)
        if custom_id is not None:
            seen.add(custom_id)
        if component.get("type") == _BUTTON:
            _check_button(component, path, tree)
        if component.get("type") == _ACTION_ROW:
            kinds = [child.get("type") for child in component.get("components") or []]
            if len(kinds) > 1 and any(kind != _BUTTON for kind in kinds):
                words = "The specified component exceeds the maximum width"
                errors.add_error(tree, [*path, "components"], "COMPONENT_LAYOUT_WIDTH_EXCEEDED", words)


def _check_button(button: Json, path: list[str], tree: Json) -> None:
    style = button.get("style")
    if style == _LINK_STYLE:
        if not button.get("url") or button.get("custom_id") is not None:
            words = "A url is required, and a custom id cannot be used, with a link button"
            errors.add_error(tree, path, "BUTTON_COMPONENT_URL_REQUIRED", words)
    elif style != _PREMIUM_STYLE:
        if not button.get("custom_id"):
            errors.add_error(tree, [*path, "custom_id"], "COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required")
        if not button.get("label") and not button.get("emoji"):
            words = "The specified component is missing a label or an emoji"
            errors.add_error(tree, path, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", words)


def walk_components(components: list[Json], path: list[str]) -> Iterator[tuple[list[str], Json]]:
    """Yield every component at any depth, with the path for errors about it."""
    for number, component in enumerate(components):
        here = [*path, str(number)]
        yield here, component
        yield from walk_components(component.get("components") or [], [*here, "components"])
        for key in ("accessory", "component"):
            if isinstance(child := component.get(key), dict):
                yield [*here, key], child


def numbered_components(components: list[Json]) -> list[Json]:
    """Return components as Discord stores them: without nulls, each with an ``id`` of its own."""
    used = {component["id"] for _, component in walk_components(components, []) if component.get("id")}
    fresh = (number for number in range(1, 10_000) if number not in used)

    def tidy(value: Any) -> Any:
        if isinstance(value, list):
            return [tidy(item) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("type"), int) and not value.get("id"):
            value = value | {"id": next(fresh)}
        return {key: tidy(item) for key, item in value.items() if item is not None}

    return tidy(components)


def _dig(value: Json, path: str) -> Any:
    current: Any = value
    for key in path.split("."):
        current = current.get(key) if isinstance(current, dict) else None
    return current


def _too_long(characters: int) -> tuple[str, str]:
    return "BASE_TYPE_MAX_LENGTH", f"Must be {characters} or fewer in length."
