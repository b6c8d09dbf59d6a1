"""One pass over a decoded document: masks what the plan says, in place, and counts it. JSON inside strings too."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from sluicegate.masking import columnar, nested
from sluicegate.masking.flat import flat, widest
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import MAX_DEPTH, Unfit, parse, serialise
from sluicegate.masking.owed import action_of
from sluicegate.masking.rules import Plan, Shape, State
from sluicegate.rows import HEADER_KEYS

MAX_NESTED = 3
"""How many strings deep JSON is followed; one that goes deeper cannot be masked."""

_INNER = frozenset((dict, list))

Counts = dict[Hit, int]
"""How many values each mask on each column replaced."""


def mask_document(document: Any, plan: Plan, original: bytes) -> tuple[Any, Counts]:
    """The masked document (the same objects) and what was replaced. Raises Unfit.

    `original` is what the document was parsed from: it is read again where arrays of arrays stand without columns.
    """
    walk = Walk(plan, 0)
    if plan.root is not None:
        return plan.root.apply([document])[0], {plan.root: 1}
    rows = widest(document)
    if rows is not None and flat(document, original, rows):
        walk.flat = rows
    document = walk.value(document, plan.start, 0, "")
    if walk.loose and plan.columns and walk.headers.mentions(parse(original)):
        raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
    return document, walk.counts


class Walk:
    """One pass; `level` is how many strings deep it begins."""

    __slots__ = ("counts", "flat", "headers", "level", "loose", "plan", "taken")

    def __init__(self, plan: Plan, level: int) -> None:
        self.plan = plan
        self.headers = plan.headers
        self.level = level  # how many strings deep we are
        self.counts: Counts = {}
        self.flat: list[Any] | None = None  # rows that hold nothing but plain values
        self.loose = False  # whether an array of arrays was met whose columns nothing names
        self.taken: Collection[int] = ()  # ids of what stands where rows were that are masked by themselves

    def value(self, value: Any, state: State, depth: int, name: str) -> Any:
        """The value with its inside masked; `name` is the key that it has."""
        if isinstance(value, dict):
            self._object(value, state, depth)
        elif isinstance(value, list):
            self._array(value, state, depth, name)
        elif isinstance(value, str) and value[:1] in nested.OPENERS:
            return self._text(value, state, depth, name)
        return value

    def documents(self, documents: list[Any]) -> None:
        """Masks several documents, each from its own root. An array among them is a row that nothing describes."""
        state = self.plan.start
        done = self._rows(documents, state, 0)
        for index in range(done, len(documents)):
            self.loose |= isinstance(documents[index], list)
            documents[index] = self.value(documents[index], state, 0, "")

    def _object(self, node: dict[str, Any], state: State, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise Unfit("its JSON is nested too deeply")
        moves, counts, openers, members, dropped = state.moves, self.counts, nested.OPENERS, None, None
        header: columnar.Header | Literal[False] | None = False  # not looked for yet
        for key, value in node.items():  # values are replaced, and keys go at the end, so the iteration stays valid
            child, apply, hit = moves.get(key) or state.move(key)
            if apply is not None and hit is not None:
                node[key] = apply([value])[0]
                counts[hit] = counts.get(hit, 0) + 1
                if hit.method == "drop":
                    dropped = [key] if dropped is None else [*dropped, key]
                continue
            kind = type(value)
            if kind is str:
                if value[:1] in openers:
                    node[key] = self._text(value, child, depth, key)
            elif kind is dict or kind is list:
                if key in HEADER_KEYS:
                    members = [key] if members is None else [*members, key]
                if kind is dict:
                    self._object(value, child, depth + 1)
                elif value and type(value[0]) is list:
                    if header is False:  # once: there may be thousands of tables in one object
                        header = self.headers.beside(node) if self.plan.columns else None
                    self.table(node, key, child, depth + 1, header)
                else:
                    self._array(value, child, depth + 1, key)
        if members is not None and self.plan.columns:
            for member in members:
                self.headers.check_rows(node, member, self.taken)
        for key in dropped or ():
            del node[key]

    def _array(
        self, node: list[Any], state: State, depth: int, name: str, header: columnar.Header | None = None
    ) -> None:
        if depth >= MAX_DEPTH:
            raise Unfit("its JSON is nested too deeply")
        counts = self.counts
        child, apply, hit = usual = state.element(0, name)
        alike = state.uniform and header is None
        done = 0
        if alike:
            if apply is not None and hit is not None:
                node[:] = apply(node)
                if node:
                    counts[hit] = counts.get(hit, 0) + len(node)
                return
            if node and type(node[0]) is dict:
                done = self._rows(node, child, depth + 1)
                if done == len(node):
                    return
        for index, value in enumerate(node[done:] if done else node, done):
            if not alike:
                named = header.owed.get(index) if header is not None else None
                if named is not None:
                    child, apply, hit = state.element(index, named[0], named[1])
                else:
                    child, apply, hit = usual if state.uniform else state.element(index, name)
            if apply is not None and hit is not None:
                node[index] = apply([value])[0]
                counts[hit] = counts.get(hit, 0) + 1
                continue
            kind = type(value)
            if kind is dict:
                self._object(value, child, depth + 1)
            elif kind is str:
                if value[:1] in nested.OPENERS:
                    node[index] = self._text(value, child, depth, name)
            elif kind is list:
                self.loose = True
                self._array(value, child, depth + 1, name)

    def _rows(self, node: list[Any], state: State, depth: int) -> int:
        """Masks the objects at the front of an array whose elements fare alike, and says how many there are.

        Objects with the same keys and only plain values in them, which nearly all are, are masked column by column.
        """
        if depth >= MAX_DEPTH:
            raise Unfit("its JSON is nested too deeply")
        if node is self.flat:
            self._flat(node, state, depth)
            return len(node)
        shapes, openers, inner = state.shapes, nested.OPENERS, _INNER
        keys: tuple[str, ...] | None = None
        shape: Shape | None = None
        alike: list[dict[str, Any]] = []
        done = len(node)
        for index, row in enumerate(node):
            if type(row) is not dict:
                done = index
                break
            now = tuple(row)
            if now != keys:
                if alike and shape is not None:
                    self._columns(alike, shape)
                keys, alike = now, []
                shape = shapes.get(now) or state.shape(now)
            if shape is None:
                self._object(row, state, depth)
                continue
            for value in shape.others(row):
                kind = type(value)
                if kind is str:
                    if value[:1] in openers:
                        break
                elif kind in inner:
                    break
            else:
                alike.append(row)
                continue
            self._object(row, state, depth)
        if alike and shape is not None:
            self._columns(alike, shape)
        return done

    def _flat(self, node: list[dict[str, Any]], state: State, depth: int) -> None:
        """Masks rows in which nothing has an inside: only their keys matter."""
        start, keys = 0, tuple(node[0])
        for index, row in enumerate(node):
            if (now := tuple(row)) != keys:  # kept no longer than this: many small objects wake the garbage collector
                self._alike(node[start:index], keys, state, depth)
                start, keys = index, now
        self._alike(node[start:] if start else node, keys, state, depth)

    def _alike(self, rows: list[dict[str, Any]], keys: tuple[str, ...], state: State, depth: int) -> None:
        shape = state.shapes.get(keys) or state.shape(keys)
        if shape is not None:
            self._columns(rows, shape)
            return
        for row in rows:
            self._object(row, state, depth)

    def _columns(self, rows: list[dict[str, Any]], shape: Shape) -> None:
        counts = self.counts
        if shape.constants:
            for row in rows:
                row.update(shape.constants)
        for key, hit in shape.dropped:
            for row in rows:
                del row[key]
            counts[hit] = counts.get(hit, 0) + len(rows)
        for key, apply, hit in shape.masked:
            if key in shape.constants:
                counts[hit] = counts.get(hit, 0) + len(rows)
                continue
            for row, masked in zip(rows, apply([row[key] for row in rows]), strict=True):
                row[key] = masked
            counts[hit] = counts.get(hit, 0) + len(rows)

    def table(self, node: dict[str, Any], key: str, state: State, depth: int, header: columnar.Header | None) -> None:
        """Masks the arrays in the list `node[key]`; `header` are the lists of columns beside it in the object."""
        rows = node[key]
        if header is None:
            self._array(rows, state, depth, key)
            return
        for index, row in enumerate(rows):
            if type(row) is not list or len(row) != header.width:
                raise Unfit("its columns and its rows do not agree")
            child, apply, hit = state.element(index, key)
            if apply is not None and hit is not None:
                rows[index] = apply([row])[0]
                self.counts[hit] = self.counts.get(hit, 0) + 1
            else:
                self._array(row, child, depth + 1, key, header)

    def _text(self, text: str, state: State, depth: int, name: str) -> str:
        inner = nested.strip(text)
        if inner[:1] not in nested.BEGINNINGS:
            return text
        try:
            document = parse(inner.encode("utf-8", "surrogatepass"))
        except Unfit:
            self._refuse_if_owed(inner, state, depth, name)
            return text
        if not isinstance(document, dict | list | str):
            return text
        if self.level >= MAX_NESTED:
            if isinstance(document, str) and nested.strip(document)[:1] not in nested.BEGINNINGS:
                return text
            raise Unfit("JSON is nested in its strings too deeply")
        walk = Walk(self.plan, self.level + 1)
        masked = walk.value(document, state, depth + 1, name)
        self.loose |= walk.loose
        for hit, count in walk.counts.items():
            self.counts[hit] = self.counts.get(hit, 0) + count
        # A string in which nothing was masked stays as it is, unless it hides something behind a duplicate key.
        if walk.counts or self._owed(inner, state, depth, name):
            return serialise(masked).decode()
        return text

    def _owed(self, text: str, state: State, depth: int, name: str) -> bool:
        """Whether anything in a text would be masked that a reader more forgiving than we are may see there."""
        documents, rest = nested.read(text)
        walk = Walk(self.plan, self.level + 1)
        try:
            for document in documents:
                walk.value(document, state, depth + 1, name)
        except UnicodeEncodeError:
            raise Unfit("one of its strings holds broken characters in a masked column") from None
        return bool(walk.counts) or (bool(rest) and self._named(text, rest, state))

    def _named(self, broken: str, rest: str, state: State) -> bool:
        """Whether a text of which nobody can say what is where may name something that is masked."""
        columns, asked = self.plan.columns, self.plan.open_names(state.bits)
        if asked is None:
            return True
        return any(name in asked or action_of(columns, name) is not None for name in nested.names_in(broken, rest))

    def _refuse_if_owed(self, text: str, state: State, depth: int, name: str) -> None:
        if self.level >= MAX_NESTED:
            documents, rest = nested.read(text)
            if any(isinstance(document, dict | list) for document in documents) or (
                rest and self._named(text, rest, state)
            ):
                raise Unfit("JSON is nested in its strings too deeply")
        elif self._owed(text, state, depth, name):
            raise Unfit("one of its strings holds broken or joined JSON with masked columns")
