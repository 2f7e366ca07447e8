"""The graph of nodes that ComfyUI stores in a picture, followed in bounded time whatever it contains."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_LOOKS = 10_000  # at inputs that might be links; graphs of 60 KiB have fewer than 2,000 inputs
_MAX_HOPS = 8  # from an input to the node that has its value

# The inputs of nodes with words: of text encoders first that of their larger part, then of nodes for texts alone.
_WORDS = ("populated_text", "text", "t5xxl", "text_g", "clip_g", "text_l", "clip_l", "prompt", "value", "string")
_CONDITIONINGS = (
    "conditioning",
    "conditioning_1",
    "conditioning_2",
    "conditioning_to",
    "conditioning_from",
    "cond1",
    "cond2",
)


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its name in the graph, its kind, and its inputs, which are values or links to other nodes."""

    key: str
    kind: str
    inputs: Mapping[str, Any]


class Graph:
    """Nodes and the links between them.

    A link is a list of two: the key of a node and the number of its output, which nothing here depends on. Links may
    lead anywhere, in circles too; beyond 10,000 looks at possible links, all of them lead nowhere.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.nodes = {
            key: Node(key, kind, inputs)
            for key, node in said.items()
            if isinstance(node, dict)
            and isinstance(kind := node.get("class_type"), str)
            and isinstance(inputs := node.get("inputs"), dict)
        }
        self._looks_left = MAX_LOOKS

    def node(self, value: object) -> Node | None:
        """Return the node that a link leads to, or None for anything else."""
        if self._looks_left == 0:
            return None
        self._looks_left -= 1
        match value:
            case [str(key), _]:
                return self.nodes.get(key)
            case _:
                return None

    def value(self, node: Node, *names: str) -> object:
        """Return the first of these inputs that a node has, or what the node says that it leads to; else None."""
        for _ in range(_MAX_HOPS):
            found = next((node.inputs[name] for name in names if name in node.inputs), None)
            target = self.node(found)
            if target is None:
                return found
            node, names = target, (*names, "value")
        return None

    def upstream(self, start: object) -> Iterator[Node]:
        """Yield the nodes that a link leads to, directly and through others, nearest first and each once."""
        waiting, seen = deque([start]), set[str]()
        while waiting:
            node = self.node(waiting.popleft())
            if node is not None and node.key not in seen:
                seen.add(node.key)
                yield node
                waiting.extend(node.inputs.values())

    def nearest(self, start: object, *names: str) -> object:
        """Return the value of the first of these inputs that any node upstream has, or None."""
        values = (self.value(node, *names) for node in self.upstream(start))
        return next((value for value in values if value is not None), None)

    def words(self, start: object, side: str) -> str:
        """Return the words that reach an input, ``side`` being ``positive`` or ``negative``."""
        parts: list[str] = []
        waiting, seen = [start], set[str]()
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                parts.append(value)
            elif (node := self.node(value)) is not None and node.key not in seen:
                seen.add(node.key)
                waiting.extend(reversed(_sources_of_words(node, side)))
        return "".join(parts).strip(", \n")


def _sources_of_words(node: Node, side: str) -> list[Any]:
    """Return what a node's words are made of: texts and links, in their order."""
    inputs = node.inputs
    if node.kind == "ConditioningZeroOut":  # turns words into none
        return []
    if "string_a" in inputs:
        return [inputs["string_a"], inputs.get("delimiter"), inputs.get("string_b")]
    if (words := next((inputs[name] for name in _WORDS if inputs.get(name)), None)) is not None:
        return [words]
    if side in inputs:  # of a node that passes both sides on
        return [inputs[side]]
    return [part for name in _CONDITIONINGS if name in inputs for part in (", ", inputs[name])]
