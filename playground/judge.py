"""Validation of bodies against Discord's OpenAPI document, with errors in Discord's wording."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from playground import errors
from playground.models import Json

_ADDRESS = "urn:discord"
_FORMATS = FormatChecker(formats=())
_WORDS = {
    "string": ("STRING_TYPE_CONVERT", "Could not interpret {value} as string."),
    "integer": ("NUMBER_TYPE_COERCE", "Value {value} is not int."),
    "number": ("NUMBER_TYPE_COERCE", "Value {value} is not float."),
    "boolean": ("BOOLEAN_TYPE_CONVERT", "Must be either true or false."),
    "array": ("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"),
    "object": ("DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType"),
}


@_FORMATS.checks("uri")
def _is_address(value: object) -> bool:
    return not isinstance(value, str) or value.startswith(("http://", "https://", "attachment://", "discord://"))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


class Judge:
    """Validates requests and responses; without a document everything passes, and ``reason`` says why."""

    def __init__(self, document: Json | None, *, reason: str | None = None) -> None:
        self.reason = reason
        self._document = document
        self._validators: dict[tuple[str, bool], Draft202012Validator] = {}
        if document is not None:
            # The document says that every code is a number; in error trees Discord's are words
            # (https://discord.com/developers/docs/reference#error-messages), and so are these.
            words: Json = {
                "type": "object",
                "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                "required": ["code", "message"],
            }
            inner = {"type": "object", "properties": {"_errors": {"type": "array", "items": words}}}
            inner |= {"required": ["_errors"], "additionalProperties": False}
            self._strict = _registry(document, InnerErrors=inner)
            # Discord accepts ids as numbers too, and discord.py sends some that way (attachments[].id,
            # message_reference).
            snowflake = document["components"]["schemas"]["SnowflakeType"] | {"type": ["string", "integer"]}
            self._lenient = _registry(document, SnowflakeType=snowflake)

    @property
    def active(self) -> bool:
        """Whether there is a document to validate against."""
        return self._document is not None

    def check_request(self, method: str, template: str, body: Any) -> None:
        """Raise a DiscordError with code 50035 if Discord's document does not allow ``body`` here."""
        if (operation := self._operation(method, template)) is None:
            return
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return
        pointer = f"{_pointer(method, template)}/requestBody/content/application~1json/schema"
        tree: Json = {}
        for error in self._validator(pointer, lenient=True).iter_errors(body):
            _explain(error, tree)
        if tree:
            raise errors.invalid_form(tree)

    def answer_violations(self, method: str, template: str, status: int, body: Any) -> list[tuple[str, str]]:
        """Return path and reason of everything in a response that Discord's document does not allow."""
        if (operation := self._operation(method, template)) is None:
            return []
        answers = operation["responses"]
        key = str(status) if str(status) in answers else f"{status // 100}XX"
        if key not in answers:
            return [("", f"status {status} is not one of {', '.join(answers)}")]
        pointer = f"{_pointer(method, template)}/responses/{key}"
        answer = answers[key]
        if (reference := answer.get("$ref")) is not None:
            pointer = reference
            answer = self._dig(reference)
        if "application/json" not in answer.get("content", {}):
            return [] if body is None else [("", f"status {status} carries no body")]
        return self._violations(f"{pointer}/content/application~1json/schema", body)

    def schema_violations(self, name: str, body: Any) -> list[tuple[str, str]]:
        """Return how ``body`` violates the named schema of the document; nothing without a document."""
        return self._violations(f"#/components/schemas/{name}", body) if self.active else []

    def _violations(self, pointer: str, body: Any) -> list[tuple[str, str]]:
        found = self._validator(pointer, lenient=False).iter_errors(body)
        return [(".".join(map(str, leaf.absolute_path)), leaf.message) for error in found for leaf in _leaves(error)]

    def _operation(self, method: str, template: str) -> Json | None:
        if self._document is None:
            return None
        return self._document["paths"].get(template, {}).get(method.lower())

    def _dig(self, pointer: str) -> Any:
        value: Any = self._document
        for key in pointer.removeprefix("#/").split("/"):
            value = value[key.replace("~1", "/").replace("~0", "~")]
        return value

    def _validator(self, pointer: str, *, lenient: bool) -> Draft202012Validator:
        if (validator := self._validators.get((pointer, lenient))) is None:
            validator = Draft202012Validator(
                {"$ref": f"{_ADDRESS}{pointer}"},
                registry=self._lenient if lenient else self._strict,
                format_checker=_FORMATS if lenient else None,
            )
            self._validators[pointer, lenient] = validator
        return validator


def _registry(document: Json, **replaced: Json) -> Registry[Any]:
    """Return the registry that resolves references: the document with some schemas replaced."""
    components = document["components"]
    changed = document | {"components": components | {"schemas": components["schemas"] | replaced}}
    resource: Resource[Any] = Resource(contents=changed, specification=DRAFT202012)
    empty: Registry[Any] = Registry()
    return empty.with_resource(_ADDRESS, resource)


def _pointer(method: str, template: str) -> str:
    escaped = template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    return f"#/paths/{escaped}/{method.lower()}"


def _fitting_branch(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the union branch that the value was meant for; none if it matches no branch."""
    branches: dict[Any, list[ValidationError]] = {}
    for child in error.context or ():
        branches.setdefault(child.schema_path[0], []).append(child)
    here = list(error.absolute_path)

    def meant(children: list[ValidationError]) -> bool:
        return not any(
            (list(child.absolute_path) == here and child.validator in ("type", "const", "enum"))
            or list(child.absolute_path) == [*here, "type"]
            for child in children
        )

    fitting = [children for children in branches.values() if meant(children)]
    return min(fitting, key=len, default=[])


def _leaves(error: ValidationError) -> Iterable[ValidationError]:
    children = _fitting_branch(error) if error.context else []
    if not children:
        yield error
    for child in children:
        yield from _leaves(child)


def _explain(error: ValidationError, tree: Json) -> None:
    for leaf in _leaves(error):
        path = [str(key) for key in leaf.absolute_path]
        if leaf.validator == "required":
            instance: Any = leaf.instance
            required: Any = leaf.validator_value
            for key in (key for key in required if key not in instance):
                _add_once(tree, [*path, key], "BASE_TYPE_REQUIRED", "This field is required")
        elif leaf.validator in ("oneOf", "anyOf"):
            if leaf.context and all(child.validator == "const" for child in leaf.context):
                choices = ", ".join(repr(child.validator_value) for child in leaf.context)
                _add_once(tree, path, "BASE_TYPE_CHOICES", f"Value must be one of {{{choices}}}.")
            elif isinstance(leaf.instance, dict) and "type" in leaf.instance:
                words = f'Value {leaf.instance["type"]!r} of field "type" is not one of those that are possible here.'
                _add_once(tree, [*path, "type"], "UNION_TYPE_CHOICES", words)
            else:
                _add_once(tree, path, "UNION_TYPE_CHOICES", "The value fits none of the possible types.")
        else:
            _add_once(tree, path, *_in_discords_words(leaf))


def _add_once(tree: Json, path: list[str], code: str, message: str) -> None:
    node = tree
    for key in path:
        node = node.get(key, {})
    if {"code": code, "message": message} not in node.get("_errors", []):
        errors.add_error(tree, path, code, message)


def _in_discords_words(error: ValidationError) -> tuple[str, str]:
    limit: Any = error.validator_value
    schema = error.schema if isinstance(error.schema, dict) else {}
    value = json.dumps(error.instance)[:100]
    match error.validator:
        case "maxLength" | "minLength":
            if "minLength" in schema and "maxLength" in schema:
                return (
                    "BASE_TYPE_BAD_LENGTH",
                    f"Must be between {schema['minLength']} and {schema['maxLength']} in length.",
                )
            if error.validator == "maxLength":
                return "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."
            return "BASE_TYPE_MIN_LENGTH", f"Must be {limit} or more in length."
        case "maxItems":
            return "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."
        case "minItems":
            return "BASE_TYPE_MIN_LENGTH", f"Must be {limit} or more in length."
        case "maximum":
            return "NUMBER_TYPE_MAX", f"int value should be less than or equal to {limit}."
        case "minimum":
            return "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {limit}."
        case "enum" | "const":
            choices = limit if isinstance(limit, list) else [limit]
            return "BASE_TYPE_CHOICES", f"Value must be one of {{{', '.join(map(repr, choices))}}}."
        case "pattern" if schema.get("format") == "snowflake":
            return "NUMBER_TYPE_COERCE", f"Value {value} is not snowflake."
        case "format" if limit == "uri":
            return "URL_TYPE_INVALID_URL", "Not a well formed URL."
        case "uniqueItems":
            return "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value"
        case "type":
            expected = next(
                (kind for kind in ([limit] if isinstance(limit, str) else limit) if kind != "null"), "object"
            )
            code, words = _WORDS[expected]
            return code, words.format(value=value)
        case _:
            return "BASE_TYPE_INVALID", f"The value {value} is not allowed here."
