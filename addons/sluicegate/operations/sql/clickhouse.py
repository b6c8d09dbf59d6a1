"""What ClickHouse does that no other language does: settings in statements, and functions that a query makes up."""

from __future__ import annotations

from sqlglot import exp

from sluicegate.operations.sql.lexical import Opaque

_HARMLESS = """
    async_insert cancel_http_readonly_queries_on_client_close date_time_input_format date_time_output_format
    distributed_product_mode group_by_overflow_mode join_algorithm join_use_nulls log_comment log_queries max_block_size
    max_bytes_before_external_group_by max_bytes_before_external_sort max_bytes_to_read max_execution_time
    max_insert_block_size max_insert_threads max_memory_usage max_query_size max_result_bytes max_result_rows
    max_rows_to_group_by max_rows_to_read max_rows_to_sort max_threads optimize_read_in_order
    output_format_json_quote_64bit_integers output_format_json_quote_denormals output_format_write_statistics priority
    query_cache_ttl read_overflow_mode readonly result_overflow_mode session_timezone sort_overflow_mode
    timeout_overflow_mode use_query_cache use_uncompressed_cache wait_end_of_query wait_for_async_insert
"""
HARMLESS = frozenset(_HARMLESS.split())
"""Settings that change nothing about what a statement reads. Others may: filters, dialects, formats of their own."""


def check(node: exp.Expr) -> None:
    """Raise Opaque for a setting that may change what is read, and for a function that the query defines."""
    settings = node.args.get("settings")
    if isinstance(settings, list):
        for setting in settings:
            check_setting(setting.this.name if isinstance(setting, exp.EQ) else "")
    if isinstance(node, exp.Alias | exp.CTE) and _is_function(node.this):
        # It may be called as a function that is known to be harmless is.
        raise Opaque("a query defines a function of its own")


def check_setting(name: str) -> None:
    """Raise Opaque unless the setting is known to change nothing about what is read."""
    if name.lower() not in HARMLESS:
        raise Opaque("a setting may change what is read")


def _is_function(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren):
        node = node.this
    return isinstance(node, exp.Lambda) or (isinstance(node, exp.JSONExtract) and "only_json_types" in node.args)
