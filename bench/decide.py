"""How long a decision takes with 10, 100 and 1,000 rules: `python -m bench.decide`.

The rules are of the kinds that a grown policy has: most are about other datasets, groups and kinds than the request at
hand, some look at destinations, hours, networks, statements and commands. Times are the best of several rounds, since
everything that makes a round slower is the machine's doing. Beside them stands a loop that does nothing, as a measure
of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sluicegate.exchange import Operation, Output, Principal
from sluicegate.policy import Context, Policy, decide
from sluicegate.settings import Settings

ROUNDS = 15
CALLS = 2_000
BARS = {10: 2.0, 100: 2.0, 1000: 5.0}
"""Microseconds that a decision may take."""


def settings(rules: int) -> Settings:
    """A policy with so many rules over 20 datasets."""
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "dialects": {"chunks": {"routes": [{"request": "GET /", "kind": "read"}]}},
            "services": {
                "chunks": {"hosts": ["chunks.test"], "dialect": "chunks"},
                "warehouse": {"hosts": ["warehouse.test"], "dialect": "chunks"},
            },
            "datasets": {
                f"table-{number}": {
                    "service": ("chunks", "warehouse")[number % 2],
                    "columns": {"ssn": "restricted", "email": "personal"},
                }
                for number in range(20)
            },
            "rules": [_rule(number) for number in range(rules)],
            "masks": [
                {"id": "ids", "columns": ["restricted"], "method": "last4", "unless": ["group:fraud"]},
                {"id": "contact", "columns": ["personal"], "method": "hmac"},
            ],
        }
    )


def _rule(number: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": f"rule-{number}", "effect": "allow", "who": [f"group:team-{number % 25}"]}
    match number % 10:
        case 0 | 1 | 2 | 3:
            rule |= {"dataset": [f"table-{number % 20}"], "kind": ["read"]}
        case 4:
            rule |= {"dataset": [f"table-{number % 20}"], "columns": ["personal"]}
        case 5:
            rule |= {"effect": "hold", "kind": ["export"], "destination": "external", "approvers": ["group:owners"]}
        case 6:
            rule |= {"effect": "deny", "who": ["group:contractors"], "when": ["Mon-Fri 18:00-08:00 Europe/Berlin"]}
        case 7:
            rule |= {"effect": "deny", "who": ["kind:machine"], "network": ["192.0.2.0/24"]}
        case 8:
            rule |= {"effect": "deny", "service": ["warehouse"], "statements": ["drop", "create_*"]}
        case _:
            rule |= {"effect": "deny", "service": ["warehouse"], "commands": [rf"\bcopy\s+into\s+stage{number}\b"]}
            rule["who"] = ["group:team-0", "group:team-1"]
    return rule


WHO = Principal("ada", "https://idp.test", frozenset({"team-0", "team-1", "engineering"}), name="Ada")
CHUNK = Operation(
    "chunks", "read", "table-0", declared=True, chunks=("7",), columns=("id", "country"), column_scope="listed"
)
SQL = Operation(
    "warehouse",
    "read",
    "table-1",
    declared=True,
    columns=("id", "country"),
    column_scope="listed",
    statement="SELECT id FROM table_1 WHERE country = 'DE' ORDER BY id LIMIT 100",
    predicates=("country", "id"),
    outputs=(Output("id", frozenset({("table-1", "id")})),),
    statements=("select",),
    rows=100,
)
NOW = Context(1_750_000_000.0, "10.0.0.7")


def best(work: Callable[[], object]) -> float:
    """Microseconds of one call."""
    found = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            work()
        found.append(time.perf_counter() - begin)
    return min(found) / CALLS * 1e6


def main() -> None:
    """Print one line for each number of rules."""
    nothing = best(lambda: None)
    print(f"an empty call takes {nothing:.3f} us here; it is part of every figure below")
    print(f"{'rules':>6} {'a chunk':>9} {'SQL':>9} {'a person never seen':>20} {'bar':>6}")
    for rules, bar in BARS.items():
        policy = Policy(settings(rules), "d" * 64)
        assert decide(policy, WHO, CHUNK, NOW).effect == "allow"
        assert decide(policy, WHO, SQL, NOW).effect == "allow" or rules == 10
        chunk = best(lambda policy=policy: decide(policy, WHO, CHUNK, NOW))  # type: ignore[misc]
        sql = best(lambda policy=policy: decide(policy, WHO, SQL, NOW))  # type: ignore[misc]
        print(f"{rules:>6} {chunk:>6.2f} us {sql:>6.2f} us {_strangers(policy):>17.1f} us {bar:>3.0f} us")


def _strangers(policy: Policy) -> float:
    people = [Principal(f"p{n}", "https://idp.test", frozenset({f"group-{n}"})) for n in range(500)]
    begin = time.perf_counter()
    for person in people:
        decide(policy, person, CHUNK, NOW)
    return (time.perf_counter() - begin) / len(people) * 1e6


if __name__ == "__main__":
    main()
