"""Where the nodes are that a path selects in a decoded document, and which paths of masks are open there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sluicegate.jsonpath import Below, Elements, Names, Step
from sluicegate.masking.json_body import MAX_DEPTH, Unfit
from sluicegate.masking.rules import State


class Place(NamedTuple):
    """A node, what holds it (None for the document itself), and the state of the masks at it."""

    holder: dict[str, Any] | list[Any] | None
    key: Any
    node: Any
    state: State
    name: str

    def put(self, value: Any) -> None:
        """Puts a value in the node's place. The document itself has nothing that holds it."""
        if self.holder is not None:
            self.holder[self.key] = value


def locate(document: Any, steps: tuple[Step, ...], state: State) -> list[Place]:
    """Every node that the path selects, in document order. Raises Unfit for a document that is nested too deeply."""
    places = [Place(None, None, document, state, "")]
    for step in steps:
        places = [inner for place in places for inner in _children(place, step, 0)]
    return places


def _children(place: Place, step: Step, depth: int) -> Iterator[Place]:
    if depth > MAX_DEPTH:
        raise Unfit("its JSON is nested too deeply")
    match step:
        case Names(names):
            if isinstance(place.node, dict):
                yield from (_member(place, key) for key in list(place.node) if not names or key in names)
            elif isinstance(place.node, list) and not names:
                yield from (_element(place, index) for index in range(len(place.node)))
        case Elements(start, stop, stride):
            if isinstance(place.node, list):
                yield from (_element(place, index) for index in range(len(place.node))[start:stop:stride])
        case Below():
            yield place
            for child in _children(place, Names(frozenset()), depth):
                yield from _children(child, step, depth + 1)


def _member(place: Place, key: str) -> Place:
    return Place(place.node, key, place.node[key], place.state.move(key)[0], key)


def _element(place: Place, index: int) -> Place:
    return Place(place.node, index, place.node[index], place.state.element(index, place.name)[0], place.name)
