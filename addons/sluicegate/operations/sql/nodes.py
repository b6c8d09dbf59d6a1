"""The syntax that is known not to hide what is read. Whatever else stands in a statement makes its lineage coarse."""

from __future__ import annotations

from sqlglot import exp

_PLAIN = """
    Add Adjacent Alias Aliases All Any AtIndex AtTimeZone Between Binary BitString BitwiseAnd BitwiseLeftShift
    BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Boolean Bracket ByteString CTE CharacterSet Cluster Column
    Cube DPipe DataType DataTypeParam Distance Distinct Distribute Div Dot EQ Escape Except Fetch Filter Final
    FormatJson From FromTimeZone GT GTE Glob Group GroupingSets Having HavingMax HexString Hint HistoricalData
    ILike Identifier IgnoreNulls In IndexTableHint IntDiv Intersect Interval IntervalSpan Introducer Is JSON
    JSONExtractQuote JSONKeyValue JSONPath JSONPathKey JSONPathRecursive JSONPathRoot JSONPathSelector
    JSONPathSlice JSONPathSubscript JSONPathUnion JSONPathWildcard Join JoinHint Kwarg LT LTE Lambda Lateral
    Like Limit LimitOptions Literal Lock Mod Mul NEQ National Neg Not Null NullSafeEQ NullSafeNEQ Offset
    OnCondition Operator Order Ordered OverflowTruncateBehavior Overlaps Parameter Paren Placeholder PreWhere
    PropertyEQ Qualify QueryOption RawString RespectNulls Rollup Select SessionParameter SimilarTo Slice Sort
    Star Sub Subquery SubqueryPredicate Table TableAlias TableSample Tuple UnicodeString Union Unnest Values Var
    Version Where Window WindowSpec With WithFill WithOperator WithTableHint WithinGroup
"""
PLAIN: frozenset[type[exp.Expr]] = frozenset(getattr(exp, name) for name in _PLAIN.split() if hasattr(exp, name))

_CLAUSES: dict[type[exp.Expr], str] = {
    exp.Select: "with_ expressions hint distinct from_ operation_modifiers laterals joins prewhere where group having"
    " qualify windows distribute sort cluster order limit offset locks sample settings format options",
    exp.Table: "this alias db catalog joins laterals hints version when only sample system_time ordinality",
    exp.Subquery: "this alias with_ joins laterals order limit offset sample where settings format",
    exp.SetOperation: "with_ this expression distinct order limit offset settings format",
}
CLAUSES = {kind: frozenset(names.split()) for kind, names in _CLAUSES.items()}
"""The clauses of queries and tables that lineage looks into. Any other clause makes it coarse."""


def strange(node: exp.Expr, kind: type[exp.Expr]) -> bool:
    """Whether a query or table has a clause that is not looked into."""
    return any(value and name not in CLAUSES[kind] for name, value in node.args.items())
