"""The masks that a verdict owes, compiled to one automaton: a walk asks it once for each key and never looks back.

A state is the set of path positions that are open at a node (a bit mask over the steps of all paths). Where a key
leads, and whether what is there is masked, is found once and kept, so a walk costs one look-up a key whatever the
number of rules. Column names match at any depth in their normal form; the names in a path match exactly.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sluicegate.exchange import Obligation
from sluicegate.jsonpath import Below, Elements, Names, Step, parse
from sluicegate.mask_method import USUAL
from sluicegate.masking.columnar import Headers
from sluicegate.masking.hit import Hit
from sluicegate.masking.methods import Action, Masker, Methods
from sluicegate.masking.names import Named, normal
from sluicegate.masking.origins import Origins
from sluicegate.masking.owed import action_of

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

_KEPT_KEYS = 2048  # a state forgets all its keys when there are more; services may use data as keys
_KEPT_STATES = 256
_KEPT_SHAPES = 64  # rows come in few shapes; where they do not, the walk does without
_STRANGE = 1024  # objects of shapes that are not kept, after which others are kept
_WIDE = 256
_LONG_KEY = 128


Move = tuple["State", Masker | None, Hit | None]
"""Where a key leads, what masks its value, and what that counts as. The last two are there together or not at all."""


class Shape(NamedTuple):
    """Objects with the same keys in the same order, at one node."""

    masked: tuple[tuple[str, Masker, Hit], ...]
    """The keys that owe a mask, without those that are taken out."""
    dropped: tuple[tuple[str, Hit], ...]
    """The keys that are taken out."""
    constants: dict[str, Any]
    """Those of them that owe the same whatever their value is, with what they owe."""
    others: Callable[[dict[str, Any]], tuple[Any, ...]]
    """Reads the values of the other keys."""


class State:
    """The positions of all paths that are open at one node."""

    __slots__ = ("_elements", "_strange", "bits", "moves", "plan", "shapes", "uniform")

    def __init__(self, plan: Plan, bits: int) -> None:
        self.plan = plan
        self.bits = bits
        self.moves: dict[str, Move] = {}
        """Keys that were met here; ask `move` for the others."""
        self.shapes: dict[tuple[str, ...], Shape] = {}
        """Keys of objects that were met here as rows; ask `shape` for the others."""
        self._strange = 0
        self.uniform = not any(isinstance(plan.steps[p], Elements) for p in _set_bits(bits))
        """Whether all elements of an array at this node fare alike."""
        self._elements: dict[tuple[str, Action | None], Move] = {}

    def move(self, key: str) -> Move:
        """Where a member of an object leads, and what becomes of its value."""
        move = self.moves.get(key)
        if move is None:
            move = self.plan.follow(self.bits, lambda step: _names(step, key), key, action_of(self.plan.columns, key))
            _keep(self.moves, key, move, key)
        return move

    def member(self, key: str, name: str, owed: Action | None) -> Move:
        """Where a member leads whose value owes `owed`, whatever its key says. `name` is what a mask counts it as."""
        return self.plan.follow(self.bits, lambda step: _names(step, key), name, owed)

    def element(self, index: int, name: str, owed: Action | None = None) -> Move:
        """Where an element of an array leads. `name` is the key that the array has, `owed` what its position owes."""
        if not self.uniform:
            return self.plan.follow(self.bits, lambda step: _counts(step, index), name, owed)
        move = self._elements.get((name, owed))
        if move is None:
            move = self.plan.follow(self.bits, lambda step: _counts(step, index), name, owed)
            _keep(self._elements, (name, owed), move, name)
        return move

    def shape(self, keys: tuple[str, ...]) -> Shape | None:
        """What becomes of an object with these keys, as far as they decide it. None where that is not worth finding."""
        if len(self.shapes) >= _KEPT_SHAPES:
            self._strange += 1
            if self._strange < _STRANGE:
                return None
            self._strange = 0
            self.shapes.clear()
        if len(keys) > _WIDE or max(map(len, keys), default=0) > _LONG_KEY:
            return None
        masked, dropped, others = [], [], []
        for key in keys:
            _, apply, hit = self.move(key)
            if apply is None or hit is None:
                others.append(key)
            elif hit.method == "drop" and hit.manner.on_match == "mask":
                dropped.append((key, hit))
            else:
                masked.append((key, apply, hit))
        shape = self.shapes[keys] = Shape(tuple(masked), tuple(dropped), _constants(masked), _reader(others))
        return shape

    def forget(self) -> None:
        """Drop what was kept; it is found again when it is asked for."""
        self.moves.clear()
        self.shapes.clear()
        self._elements.clear()


class Plan:
    """The masks of one tuple of obligations. Raises ValueError when one of them cannot be compiled."""

    def __init__(self, obligations: tuple[Obligation, ...], methods: Methods) -> None:
        reported = [owed for owed in obligations if owed.manner.on_match == "report"]
        self.reported = Plan(tuple(map(_looking, reported)), methods) if reported else None
        """What is only looked for: masked in a copy that nobody gets, and counted."""
        if reported:
            obligations = tuple(owed for owed in obligations if owed.manner.on_match != "report")
        self.owes = bool(obligations)
        """Whether anything is masked at all."""
        self.masks = tuple(sorted({owed.mask for owed in obligations}))
        self.columns: dict[str, Action] = Named.of(name for owed in obligations for name in owed.columns)
        """Column name in normal form, to the strictest mask on it."""
        self.headers = Headers(self.columns)
        """Reads the lists of columns beside rows that do not name theirs."""
        self.steps: list[Step | None] = []
        self.paths: list[tuple[tuple[Step, ...], Action]] = []
        """The paths, with what the nodes at them owe."""
        self.tables: dict[Any, Any] = {}
        """What the rows of a Delivery owe that were met before; for `table` alone."""
        self._ends: dict[int, Action] = {}
        self._methods = methods
        self._states: dict[int, State] = {}
        self._covered: dict[tuple[str | None, tuple[str, ...], bool], dict[str, Literal["clear", "masked"]]] = {}
        self._hits: dict[tuple[Action, str], Hit] = {}
        start = 0
        for owed in obligations:
            if not owed.columns and owed.path is None and not owed.detect:
                raise ValueError(f"the mask {owed.mask} names neither columns nor a path nor a detector")
            action = Action.of(owed.mask, owed.method, owed.manner)
            for name in map(normal, owed.columns):
                self.columns[name] = min(action, dict.get(self.columns, name, action))
            if owed.path is not None:
                start |= 1 << len(self.steps)
                path = parse(owed.path)
                self.paths.append((path, action))
                self.steps += path
                self._ends[len(self.steps)] = action
                self.steps.append(None)
        self.origins = Origins(obligations, self.columns)
        """What result columns owe whose origins are known."""
        detecting = [owed for owed in obligations if owed.detect]
        self.content = _content(detecting, self.hit) if detecting else None
        """Finds values by what they look like."""
        bits, action_at_root = self._settle(start)
        self.start = self._state(bits)
        self.root = self.hit(action_at_root, "") if action_at_root else None
        """The mask on the whole document (the path `$`)."""

    def follow(self, bits: int, takes: Callable[[Step | None], bool], name: str, owed: Action | None) -> Move:
        """The state below an edge that `takes` describes, and the strictest mask on what is there."""
        after = 0
        for position in _set_bits(bits):
            if isinstance(self.steps[position], Below):
                after |= 1 << position
            elif takes(self.steps[position]):
                after |= 1 << position + 1
        after, selected = self._settle(after)
        actions = [action for action in (owed, selected) if action is not None]
        if not actions:
            return self._state(after), None, None
        hit = self.hit(min(actions), name)
        return self._state(after), hit.apply, hit

    def open_names(self, bits: int) -> frozenset[str] | None:
        """The last names that the paths which are open in a state still ask for. None where one asks for no more."""
        found: frozenset[str] = frozenset()
        for position in _set_bits(bits):
            end = min(end for end in self._ends if end > position)
            named = [step.names for step in self.steps[position:end] if isinstance(step, Names) and step.names]
            if not named:
                return None
            found |= named[-1]
        return found

    def covered(
        self, where: str | None, columns: tuple[str, ...], positional: bool
    ) -> Mapping[str, Literal["clear", "masked"]]:
        """The columns of the rows at a top-level key (or of the document): masked are those that are in all of them."""
        place = (where, columns, positional)
        found = self._covered.get(place)
        if found is None:
            above = self.start if where is None else self.start.move(where)[0]
            # Rows that may fare differently, or have no names in them, are covered by column names alone.
            row = above.element(0, where or "")[0] if above.uniform and not positional else None
            found = {}
            for name in columns:
                masked = action_of(self.columns, name) is not None or (
                    row is not None and row.move(name)[1] is not None
                )
                found[name] = "masked" if masked else "clear"
            if len(self._covered) >= _KEPT_STATES:
                self._covered.clear()
            self._covered[place] = found
        return found

    def hit(self, action: Action, name: str) -> Hit:
        """What `action` does to values of the column `name`."""
        found = self._hits.get((action, name))
        if found is None:
            domain = normal(name)
            apply = self._methods.masker(action.method, domain, action.manner, action.mask)
            found = Hit(action.mask, domain, apply, action.method, action.manner)
            _keep(self._hits, (action, name), found, name)
        return found

    def _settle(self, bits: int) -> tuple[int, Action | None]:
        # `..` selects the node itself too, so the step behind it is open at once; a position at the end selects.
        actions, position = [], 0
        while bits >> position:
            if bits >> position & 1:
                if isinstance(self.steps[position], Below):
                    bits |= 1 << position + 1
                elif position in self._ends:
                    actions.append(self._ends[position])
                    bits &= ~(1 << position)
            position += 1
        return bits, min(actions, default=None)

    def _state(self, bits: int) -> State:
        state = self._states.get(bits)
        if state is None:
            if len(self._states) >= _KEPT_STATES:
                for old in list(self._states.values()):
                    old.forget()
                self._states.clear()
            state = self._states[bits] = State(self, bits)
        return state


class Plans:
    """Compiled plans by obligations; the least recently used go first."""

    def __init__(self, methods: Methods, size: int = 256) -> None:
        self._methods = methods
        self._size = size
        self._plans: OrderedDict[tuple[Obligation, ...], Plan] = OrderedDict()
        self._last: tuple[tuple[Obligation, ...], Plan] | None = None

    def of(self, obligations: tuple[Obligation, ...]) -> Plan:
        """The plan of these obligations. Raises ValueError when there can be none."""
        last = self._last
        if last is not None and last[0] is obligations:  # a response mostly follows its own request
            return last[1]
        plan = self._plans.get(obligations)
        if plan is None:
            plan = self._plans[obligations] = Plan(obligations, self._methods)
            if len(self._plans) > self._size:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(obligations)
        self._last = obligations, plan
        return plan


def _content(detecting: list[Obligation], hit: Callable[[Action, str], Hit]) -> Content:
    from sluicegate.masking.content import Content  # whoever has a policy with detectors has loaded them at its start

    return Content(detecting, hit)


def _keep[K, V](memory: dict[K, V], key: K, value: V, name: str) -> None:
    if len(memory) >= _KEPT_KEYS:
        memory.clear()
    if len(name) <= _LONG_KEY:
        memory[key] = value


def _constants(masked: list[tuple[str, Masker, Hit]]) -> dict[str, Any]:
    alike = ("redact", "null")
    return {key: apply([None])[0] for key, apply, hit in masked if hit.method in alike and hit.manner == USUAL}


def _looking(owed: Obligation) -> Obligation:
    """What a mask that only reports would find."""
    return replace(owed, method="redact", manner=USUAL)


def _reader(keys: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    match keys:
        case []:
            return lambda _row: ()
        case [key]:
            return lambda row: (row[key],)
        case _:
            return itemgetter(*keys)


def _names(step: Step | None, key: str) -> bool:
    return isinstance(step, Names) and (not step.names or key in step.names)


def _counts(step: Step | None, index: int) -> bool:
    match step:
        case Names(names):
            return not names
        case Elements(start, stop, stride):
            first = start or 0
            return index >= first and (stop is None or index < stop) and (index - first) % (stride or 1) == 0
        case _:
            return False


def _set_bits(bits: int) -> Iterator[int]:
    position = 0
    while bits >> position:
        if bits >> position & 1:
            yield position
        position += 1
