"""The tables that the statements of these tests speak of; ssn is the masked column."""

from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Known

EMP = ("id", "name", "ssn", "salary", "dept_id")
DEPT = ("id", "dname", "budget")
OURS = (Ours.parse("s3://acme-*"),)
COLUMNS = {"emp": frozenset({"ssn"}), "dept": frozenset()}
KNOWN = Known("wh", {"emp": "emp", "dept": "dept"}, COLUMNS, OURS, {"emp": EMP, "dept": DEPT})
PARTIAL = Known("wh", {"emp": "emp", "dept": "dept"}, COLUMNS, OURS)
"""The same, where the policy does not say every column."""
SSN = ("emp", "ssn")


def every(operation):
    """The operation and its parts."""
    return (operation, *operation.parts)


def reads_ssn(operation):
    """Whether any part of it reads ssn, or may."""
    return any(
        part.column_scope in ("all", "unknown") or "ssn" in part.columns or "ssn" in part.predicates
        for part in every(operation)
        if part.dataset in ("emp", None) or not part.declared
    )


def exact(operation):
    """Whether everything about it is known."""
    return operation.outputs is not None and all(part.column_scope in ("listed", "none") for part in every(operation))


def from_ssn(operation):
    """Positions of the result columns that are made from ssn, or may be; None where no position is known."""
    if operation.outputs is None:
        return None
    return [at for at, output in enumerate(operation.outputs) if output.origins is None or SSN in output.origins]


def opaque(operation):
    """Whether some part of it is not understood, so that only an explicit rule lets it pass."""
    return any(part.kind not in ("read", "write") or part.opaque for part in every(operation))
