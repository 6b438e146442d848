"""Where GoogleSQL and DuckDB would read the same text differently.

Types and numbers get BigQuery's meaning, calls are rewritten; comparisons that BigQuery refuses and DuckDB casts are
refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.functions import rewrite_functions
from airflow_provider_iginsights.sandbox.bigquery.sqlglot_versions import SESSION_USER
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["check_comparisons", "rewrite"]

_TYPED_TOGETHER: dict[type[exp.Expression], tuple[str, ...]] = {
    **dict.fromkeys((exp.Binary, exp.SafeDivide), ("this", "expression")),
    **dict.fromkeys((exp.Coalesce, exp.Greatest, exp.Least), ("this", "expressions")),
    exp.If: ("true", "false"),
}
_SIGNS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
    exp.Between: "BETWEEN",
    exp.In: "IN",
}
_FAMILIES = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, "STRING"),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, "INT64"),
    **dict.fromkeys(exp.DataType.FLOAT_TYPES, "FLOAT64"),
    exp.DataType.Type.DECIMAL: "NUMERIC",
    exp.DataType.Type.BOOLEAN: "BOOL",
    exp.DataType.Type.DATE: "DATE",
    exp.DataType.Type.TIMESTAMPTZ: "TIMESTAMP",
    exp.DataType.Type.JSON: "JSON",
}
Schema = dict[str, dict[str, str]]
_TEXT_OR_NAME = re.compile(r"'(?:[^']|'')*'|\w+")
_KINDS_OF_TEXT: dict[str, Callable[[str], object]] = {
    # The two that sqlglot tells from other texts, in the same way.
    "a day": dt.date.fromisoformat,
    "a time": dt.datetime.fromisoformat,
    "a number": int,
}
_LONG_TEXT = 22  # A format or a path in JSON is shorter.
_MOST_KNOWN = 2048
_KNOWN: dict[tuple[str, ...], str] = {}
CALLER = "sandbox@example.com"
"""What SESSION_USER() answers: nobody logs in here."""
_NUMBERS = {"INT64", "FLOAT64", "NUMERIC"}


def rewrite(tree: exp.Expression) -> None:
    """Give types and calls their BigQuery meaning, in place. Raises BigQueryError for functions that are not known."""
    for call in list(tree.find_all(exp.Anonymous, exp.AnonymousAggFunc)):
        # What sqlglot does not know would go to DuckDB by its name, and mean something else there.
        if call.name.upper() != SESSION_USER:
            raise not_supported(f"The function {call.name.upper()}")
        call.replace(exp.Literal.string(CALLER))
    for kind in list(tree.find_all(exp.DataType)):
        if kind.this == exp.DataType.Type.BIGDECIMAL:
            raise not_supported("The type BIGNUMERIC")
        if kind.this == exp.DataType.Type.DECIMAL:
            # "Data types": NUMERIC has 38 digits, 9 of them behind the point; a bare DECIMAL of DuckDB has 3.
            kind.replace(exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb"))
    for number in list(tree.find_all(exp.Literal)):
        if not number.is_string and not number.is_int and not _is_numeric_cast(number.parent):
            number.replace(_type_fraction(number))
    rewrite_functions(tree)


def _is_numeric_cast(node: exp.Expression | None) -> bool:
    return isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.DECIMAL


def _type_fraction(number: exp.Expression) -> exp.Expression:
    """Return 1.5 as the FLOAT64 that it is in GoogleSQL, or beside a NUMERIC as a NUMERIC; DuckDB has a DECIMAL(2, 1).

    The sources are "Lexical structure", floating point literals, and "Conversion rules", literal coercion.
    """
    others = [each for each in _beside(number) if not each.find(exp.Literal, exp.Query, exp.Window)]
    if not others:
        return exp.cast(number.copy(), "DOUBLE", dialect="duckdb")
    return exp.Anonymous(this="bq_rounded", expressions=[number.copy(), others[0].copy()])


def _beside(number: exp.Expression) -> list[exp.Expression]:
    """Return what has to have a common type with a number: the other side, the other choices."""
    node = number.parent
    if isinstance(node, exp.If) and isinstance(node.parent, exp.Case):
        node = node.parent
    sides = _choices(node) if isinstance(node, exp.Case) else _sides(node)
    return [side for side in sides if side is not number] if any(side is number for side in sides) else []


def _choices(case: exp.Expression) -> list[exp.Expression]:
    return [*(each.args["true"] for each in case.args["ifs"]), *_as_list(case.args.get("default"))]


def _sides(node: exp.Expression | None) -> list[exp.Expression]:
    names = next((names for kind, names in _TYPED_TOGETHER.items() if isinstance(node, kind)), ())
    return [side for name in names if node is not None for side in _as_list(node.args.get(name))]


def _as_list(value: object) -> list[exp.Expression]:
    return value if isinstance(value, list) else [value] if isinstance(value, exp.Expression) else []


def check_comparisons(sql: str, read: Callable[[], exp.Expression], tables: Iterable[StoredTable]) -> None:
    """Refuse comparisons between types that BigQuery does not compare.

    ``sql`` is all that is compared, in DuckDB's SQL; ``read`` returns the same as a resolved tree, which is used up.
    What sqlglot cannot type is let through.
    """
    schema = {str(t.physical): {c.name: c.kind.duckdb for c in t.fields} for t in tables if t.physical}
    # Typing a statement takes longer than running it, and most differ only in the names of tables, in days and in ids.
    alike = _describe_types(sql, schema)
    refusal = _KNOWN.get(alike)
    if refusal is None:
        refusal = _find_refusal(read(), schema)
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[alike] = refusal
    if refusal:
        raise BigQueryError("invalidQuery", refusal)


def _find_refusal(tree: exp.Expression, schema: Schema) -> str:
    """Return how BigQuery refuses the first comparison that it does not make; '' where there is none."""
    try:
        plain = qualify(tree, schema=schema, dialect="bigquery", validate_qualify_columns=False)
        typed = annotate_types(plain, schema=schema, dialect="bigquery")
    except SqlglotError:
        return ""
    for node in typed.find_all(exp.Sub):
        if _family(node.this) == _family(node.expression) == "DATE":
            # "Operators", date arithmetics: the difference of two dates is an INTERVAL.
            return str(not_supported("The difference of two dates, an INTERVAL,"))
    for node in typed.find_all(*_SIGNS):
        first, *others = [side for side in node.iter_expressions() if not isinstance(side, exp.Query)]
        for other in others:
            if not _comparable(first, other):
                kinds = f"{_family(first)}, {_family(other)}"
                return f"No matching signature for operator {_SIGNS[type(node)]} for argument types: {kinds}"
    return ""


def _describe_types(sql: str, schema: Schema) -> tuple[str, ...]:
    """Return the same for statements that differ only in what their types do not depend on."""
    places = {name: f"table_{place}" for place, name in enumerate(schema)}
    text = _TEXT_OR_NAME.sub(lambda found: _describe_text(found[0], places), sql)
    columns = (f"{places[table]} {name} {kind}" for table in schema for name, kind in schema[table].items())
    return (text, *columns)


def _describe_text(text: str, places: Mapping[str, str]) -> str:
    """Return the place of a table for its name, and only the kind of a text: a day, a time, a number, a long text."""
    if not text.startswith("'"):
        return places.get(text, text)
    for kind, read in _KINDS_OF_TEXT.items():
        with suppress(ValueError):
            read(text[1:-1])
            return f"'{kind}'"
    return text if len(text) < _LONG_TEXT else "'a long text'"


def _family(node: exp.Expression) -> str | None:
    return _FAMILIES.get(node.type.this) if node.type is not None else None


def _comparable(one: exp.Expression, other: exp.Expression) -> bool:
    first, second = _family(one), _family(other)
    if first is None or second is None or first == second or {first, second} <= _NUMBERS:
        return True
    # A text literal is coerced to a date or a time, a column of texts is not ("Conversion rules", literal coercion).
    times = {"DATE", "TIMESTAMP"}
    return (isinstance(one.unnest(), exp.Literal) and first == "STRING" and second in times) or (
        isinstance(other.unnest(), exp.Literal) and second == "STRING" and first in times
    )
