"""Components of messages and fields of modals, as Discord's client would let a member use them."""

from __future__ import annotations

from playground import errors
from playground.content import walk_components
from playground.models import Json, Message

# The types of select menus: of strings, users, roles, mentionables, channels.
SELECTS = (3, 5, 6, 7, 8)
_TEXT_INPUT, _LABEL = 4, 18


def find_component(message: Message, wanted: str) -> Json:
    """Return the component with this custom id or label. Raises DiscordError 50035 if there is none."""
    for _, component in walk_components(message.components, []):
        if component.get("custom_id") is not None and wanted in (component["custom_id"], component.get("label")):
            return component
    raise errors.invalid_field(
        "component", "COMPONENT_VALIDATION_FAILED", f"The message has nothing called {wanted!r}."
    )


def filled_component(component: Json, values: dict[str, str], label: str | None = None) -> Json:
    """Return a modal's component as it is submitted, removing its value from ``values``."""
    kind = component["type"]
    if kind == _LABEL:
        child = filled_component(component["component"], values, component.get("label"))
        return {"type": kind, "id": component["id"], "component": child}
    if "components" in component:
        children = [filled_component(child, values) for child in component["components"]]
        return {"type": kind, "id": component["id"], "components": children}
    if "custom_id" not in component:
        return {"type": kind, "id": component["id"]}
    names = (component["custom_id"], component.get("label"), label)
    given = next((values.pop(name) for name in names if name is not None and name in values), None)
    body: Json = {"type": kind, "id": component["id"], "custom_id": component["custom_id"]}
    if kind == _TEXT_INPUT:
        return body | {"value": _checked_text(component, component.get("value") or "" if given is None else given)}
    return body | {"values": given if isinstance(given, list) else [given] if given is not None else []}


def _checked_text(field: Json, text: str) -> str:
    path = f"values.{field['custom_id']}"
    if not text:
        if field.get("required", True):
            raise errors.invalid_field(path, "BASE_TYPE_REQUIRED", "This field is required")
        return text
    low, high = field.get("min_length") or 0, field.get("max_length") or 4000
    if not low <= len(text) <= high:
        raise errors.invalid_field(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")
    return text
