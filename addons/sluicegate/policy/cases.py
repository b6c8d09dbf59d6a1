"""Tables of cases beside the policy, in TOML: who asks for what, and what the policy is expected to say.

They are checked as strictly as the policy itself: a key that is not known is an error, since a case that expects
nothing always passes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from sluicegate.errors import Fault
from sluicegate.exchange import Assurance
from sluicegate.mask_method import Method
from sluicegate.policy.context import Context, Use, kept_name
from sluicegate.settings import Problem, nearest
from sluicegate.settings.model.base import Slug, Table, Text
from sluicegate.settings.positions import Path as Place
from sluicegate.settings.positions import line_numbers, line_of

BESIDE = ".tests.toml"
"""`policy.toml` has its cases in `policy.tests.toml`."""


class Person(Table):
    """[people.*]: somebody who asks."""

    subject: Text | None = None
    """The `sub` of their tokens; the name of the table when left out."""
    groups: Annotated[list[Text], Field(default_factory=list)]
    """The groups that the provider says they are in."""
    kind: Literal["person", "machine"] = "person"
    """Whether it is a person or a machine."""
    assurance: Assurance = "bearer"
    """How surely it is known who asks."""


class Request(Table):
    """request = { ... }: a request in parts, where curl's words would be awkward."""

    method: Annotated[str, Field(pattern=r"^[A-Z]+$")] = "GET"
    """Its method."""
    url: Text
    """Its address."""
    headers: Annotated[dict[str, str], Field(default_factory=dict)]
    """Its headers."""
    json_body: Annotated[Any, Field(alias="json")] = None
    """Its body, written in TOML and sent as JSON."""
    body: str | None = None
    """Its body as a text."""

    @model_validator(mode="after")
    def _one_body(self) -> Request:
        if self.json_body is not None and self.body is not None:
            raise ValueError("has both json and body: give one of the two")
        return self


class Expect(Table):
    """expect = { ... }: what the policy says. What is left out is not looked at."""

    effect: Literal["allow", "deny", "hold", "refused"]
    """`refused` is before any rule is asked: an unknown host, a malformed request."""
    rules: list[Text] | None = None
    """Exactly these rules (or masks, where a mask forbids a statement) decide; `[]` is none."""
    masks: dict[str, Method | Literal["clear"]] | None = None
    """Column (or path) to method; `clear` for one that must not be masked. `{}` is no mask at all."""
    lifted: list[Text] | None = None
    """Exactly these masks are lifted for this person."""
    approvers: list[Text] | None = None
    """Exactly these may approve."""
    reasons: list[Text] | Text | None = None
    """Texts that stand in what the person is told: detail, reasons, next step."""
    code: Text | None = None
    """The code of the refusal, such as `no-rule`."""
    kind: Text | None = None
    """The kind that the request is read as."""
    dataset: Text | None = None
    """The dataset that it is read as."""


class Used(Table):
    """What a person has taken of a dataset today."""

    chunks: list[Text] | Annotated[int, Field(ge=0)] = 0
    """Chunks: how many, or which."""
    rows: Annotated[int, Field(ge=0)] = 0
    """Rows."""
    bytes: Annotated[int, Field(ge=0)] = 0
    """Bytes."""

    @property
    def use(self) -> Use:
        """The same as the engine takes it."""
        if isinstance(self.chunks, int):
            return Use(self.chunks, self.rows, self.bytes, unnamed=self.chunks)
        return Use(len(self.chunks), self.rows, self.bytes, frozenset(map(kept_name, self.chunks)))


class Given(Table):
    """given = { ... }: what is known of the person and their request at that moment."""

    client: Text = "127.0.0.1"
    """The address that the request comes from."""
    job: Text | None = None
    """The job that it says it is within, as the header `Sluicegate-Job` would."""
    risk: Annotated[float, Field(ge=0)] = 0.0
    """The person's risk."""
    sign_in_age: Annotated[float, Field(ge=0)] | None = None
    """How many seconds ago the person signed in; left out where the token would not say."""
    findings: Annotated[list[Text], Field(default_factory=list)]
    """Indicators that were found about the person."""
    used: Annotated[dict[Text, Used], Field(default_factory=dict)]
    """What the person has taken today, by dataset."""

    def context(self, now: float, zones: frozenset[str] = frozenset()) -> Context:
        """The circumstances at a moment; what was taken counts in each of the zones whose days budgets count."""
        use = {(dataset, zone): used.use for dataset, used in self.used.items() for zone in zones}
        signed_in = None if self.sign_in_age is None else now - self.sign_in_age
        return Context(now, self.client, self.job, self.risk, frozenset(self.findings), use, signed_in)


class Case(Table):
    """[[cases]]: one request, by one or several people."""

    name: Text
    """What it shows, as a sentence."""
    who: Text | list[Text] | Person
    """One of [people.*], several of them (each is a case), or a table like those."""
    request: Text | Request
    """In curl's words, or a table."""
    at: datetime | None = None
    """When it is asked, with its time zone; noon of a Wednesday in UTC when left out."""
    given: Annotated[Given, Field(default_factory=lambda: Given.model_validate({}))]
    """What is known at that moment; by default nothing."""
    expect: Expect
    """What the policy says."""

    @model_validator(mode="after")
    def _zoned(self) -> Case:
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("`at` has no time zone: write 2026-01-07T12:00:00Z")
        return self


class CasesFile(Table):
    """policy.tests.toml as a whole."""

    people: Annotated[dict[Slug, Person], Field(default_factory=dict)]
    cases: Annotated[list[Case], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Asking:
    """One case for one person, with the line where it stands."""

    case: Case
    name: str
    subject: str
    person: Person
    line: int


def load_cases(path: Path) -> list[Asking]:
    """The cases of a file, one for each person. Raises Fault with every problem and its line."""
    try:
        text = path.read_bytes().decode()
        document = tomllib.loads(text)
    except OSError as error:
        hint = "Write one, or name it with --cases FILE."
        raise Fault(f"Cannot read the cases {path}: {error.strerror}.", hint=hint) from None
    except UnicodeDecodeError:
        raise Fault(f"The cases {path} are not UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise Fault(f"{path}: {error}") from None
    lines = line_numbers(text)
    try:
        found = CasesFile.model_validate(document)
    except ValidationError as error:
        raise _fault(path, [_problem(e, lines, document) for e in error.errors()]) from None
    return list(_askings(path, found, lines))


def _askings(path: Path, found: CasesFile, lines: Mapping[Place, int]) -> list[Asking]:
    out, problems = [], []
    names: dict[str, int] = {}
    for index, case in enumerate(found.cases):
        line = line_of(("cases", index), dict(lines))
        if case.name in names:
            problems.append(Problem(line, f"cases.{index}.name", f"is the name of the case in line {names[case.name]}"))
        names.setdefault(case.name, line)
        if isinstance(case.who, Person):
            out.append(Asking(case, case.name, case.who.subject or "somebody", case.who, line))
            continue
        several = [case.who] if isinstance(case.who, str) else case.who
        for key in several:
            person = found.people.get(key)
            if person is None:
                where = line_of(("cases", index, "who"), dict(lines))
                hint = nearest(key, found.people) or "declare it under [people], or write a table"
                problems.append(Problem(where, f"cases.{index}.who", f"there is nobody called `{key}`", hint))
            else:
                name = case.name if len(several) == 1 else f"{case.name} ({key})"
                out.append(Asking(case, name, person.subject or key, person, line))
    if problems:
        raise _fault(path, problems)
    return out


def _fault(path: Path, problems: list[Problem]) -> Fault:
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    listed = "\n".join(f"  {path}:{str(problem).removeprefix('line ')}" for problem in sorted(problems))
    return Fault(f"{path} has {count}; nothing was tested.\n{listed}")


_KEYS: dict[str, type[Table]] = {
    "people": Person,
    "cases": Case,
    "expect": Expect,
    "request": Request,
    "who": Person,
    "given": Given,
    "used": Used,
}


def _problem(error: Any, lines: Mapping[Place, int], document: Mapping[str, Any]) -> Problem:
    # pydantic names the branch of a union in the path; what stands in the file are only its own keys.
    path: Place = ()
    node: Any = document
    for part in error["loc"]:
        inside = isinstance(node, dict) and part in node
        if inside or (isinstance(node, list) and isinstance(part, int) and part < len(node)):
            path, node = (*path, part), node[part]
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    hint = ""
    if error["type"] == "extra_forbidden":
        message = "is not a known key"
        table = next((_KEYS[str(part)] for part in reversed(path[:-1]) if part in _KEYS), CasesFile)
        hint = nearest(str(path[-1]), [field.alias or name for name, field in table.model_fields.items()])
    elif error["type"] == "missing":
        message = f"has no `{error['loc'][-1]}`"
    return Problem(line_of(path, dict(lines)), ".".join(map(str, path)) or "file", message, hint)
