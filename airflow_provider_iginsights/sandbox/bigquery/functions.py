"""Functions that DuckDB answers otherwise than GoogleSQL: each becomes a macro with BigQuery's meaning, or is refused.

The sources are BigQuery's pages of GoogleSQL functions, named behind each rule, and what Google's own implementation of
the language answers, with which the tests compare every function here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.errors import not_supported
from airflow_provider_iginsights.sandbox.bigquery.macros import PARTS, WEEKS, name_part

__all__ = ["rewrite_functions"]

_MICROSECONDS: Mapping[str, int] = MappingProxyType(
    {
        "MICROSECOND": 1,
        "MILLISECOND": 1_000,
        "SECOND": 1_000_000,
        "MINUTE": 60_000_000,
        "HOUR": 3_600_000_000,
        "DAY": 86_400_000_000,
    }
)
# printf of DuckDB agrees with FORMAT on these alone.
_PLAIN_FORMAT = re.compile(r"(?:[^%]|%%|%0?\d*d|%s|%0?\d*(?:\.\d+)?f)*")
# What strftime of DuckDB writes as FORMAT_DATE does, by sqlglot's names; %F and %T are put together of these.
_PLAIN_TIME = re.compile(r"(?:[^%]|%[YmdHMSyjAaBbUVuwGIp%])*")
_PLAIN_DATE = re.compile(r"(?:[^%]|%[YmdyjAaBbUVuwG%])*")

_CASTS = {
    (exp.Cast, exp.DataType.Type.TEXT): "bq_string",
    (exp.Cast, exp.DataType.Type.BIGINT): "bq_integer",
    (exp.Cast, exp.DataType.Type.BOOLEAN): "bq_bool",
    (exp.TryCast, exp.DataType.Type.TEXT): "bq_string",
    (exp.TryCast, exp.DataType.Type.BIGINT): "bq_safe_integer",
    (exp.TryCast, exp.DataType.Type.BOOLEAN): "bq_safe_bool",
}

_Rewrite = Callable[[exp.Expression], exp.Expression | None]


def rewrite_functions(tree: exp.Expression) -> None:
    """Give each of these calls its BigQuery meaning, in place. Raises BigQueryError for forms that are not known."""
    # From the inside out: what is replaced takes what stands in it along.
    for node in list(tree.walk(bfs=False))[::-1]:
        rewrite = _REWRITES.get(type(node).__name__)
        made = rewrite(node) if rewrite else None
        if made is not None:
            node.replace(made)


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _typed(node: exp.Expression, kind: str) -> exp.Expression:
    return exp.cast(node, kind, dialect="duckdb")


def _number(value: int) -> exp.Expression:
    return exp.Literal.number(value)


def _unit(node: exp.Expression | None) -> str:
    if node is None:
        return ""
    return f"WEEK({node.name})" if isinstance(node, exp.WeekStart) else node.name.upper()


def _extract(node: exp.Expression) -> exp.Expression:
    part = _unit(node.this)
    if part == "DATE":
        return _typed(_local(node.expression), "DATE")
    if part not in PARTS:
        raise not_supported(f"EXTRACT({part})")
    return _typed(_call(name_part(part), _typed(_local(node.expression), "TIMESTAMP")), "BIGINT")


def _local(node: exp.Expression) -> exp.Expression:
    """Return a time as it is on the clock of its zone, which is UTC where none is named."""
    if isinstance(node, exp.AtTimeZone):
        return exp.AtTimeZone(this=_typed(node.this.copy(), "TIMESTAMPTZ"), zone=node.args["zone"].copy())
    return node.copy()


def _elapsed(node: exp.Expression) -> exp.Expression:
    unit = _unit(node.args.get("unit"))
    if unit not in _MICROSECONDS:
        raise not_supported(f"TIMESTAMP_DIFF by {unit}")
    return _typed(_call("bq_elapsed", node.this, node.expression, _number(_MICROSECONDS[unit])), "BIGINT")


def _format(node: exp.Expression) -> exp.Expression:
    if not (node.this.is_string and _PLAIN_FORMAT.fullmatch(node.this.name)):
        raise not_supported(f"FORMAT with {node.this.sql(dialect='bigquery')}")
    return _typed(_call("printf", node.this, *node.expressions), "VARCHAR")


def _format_time(node: exp.Expression) -> exp.Expression | None:
    form, zone = node.args["format"], node.args.get("zone")
    plain = _PLAIN_DATE if isinstance(node.this, exp.TsOrDsToDate) else _PLAIN_TIME
    if not (form.is_string and plain.fullmatch(form.name)):
        raise not_supported("FORMAT_DATE, FORMAT_TIMESTAMP or FORMAT_DATETIME with this format")
    if zone is None:
        return None
    moment = exp.AtTimeZone(this=_typed(node.this.this.copy(), "TIMESTAMPTZ"), zone=zone.copy())
    return exp.TimeToStr(this=moment, format=form.copy())


def _parse_time(node: exp.Expression) -> exp.Expression | None:
    if node.args.get("zone") is not None:
        raise not_supported("PARSE_TIMESTAMP with a time zone")
    return None if isinstance(node.parent, exp.Cast) else _typed(node.copy(), "TIMESTAMPTZ")


def _like(node: exp.Expression) -> exp.Expression | None:
    # "Operators", LIKE: a backslash escapes.
    return None if isinstance(node.parent, exp.Escape) else exp.Escape(this=node.copy(), expression=_BACKSLASH.copy())


def _substring(node: exp.Expression) -> exp.Expression:
    start, length = node.args["start"], node.args.get("length")
    counted = {} if length is None else {"length": _call("bq_count", length)}
    return exp.Substring(this=node.this.copy(), start=_call("bq_from", node.this, start), **counted)


def _read_valid(node: exp.Expression) -> exp.Expression:
    # What is no JSON has no value, and DuckDB raises an error.
    return type(node)(**{**node.copy().args, "this": _call("bq_valid_json", node.this)})


def _window(node: exp.Expression) -> exp.Expression | None:
    return _call("bq_rounded", node, node.this.this) if isinstance(node.this, exp.Avg) else None


def _string(node: exp.Expression) -> exp.Expression:
    zone = node.args.get("zone")
    return _call("bq_string", node.this) if zone is None else _typed(_call("bq_zoned", node.this, zone), "VARCHAR")


def _cast(node: exp.Expression) -> exp.Expression | None:
    if node.args.get("format"):
        raise not_supported("CAST with FORMAT")
    name = _CASTS.get((type(node), node.to.this), "")
    if not name or isinstance(node.this, exp.Null) or (name == "bq_string" and node.this.is_string):
        return None
    return _call(name, node.this)


def _refuse(what: str) -> _Rewrite:
    def refuse(_: exp.Expression) -> exp.Expression:
        raise not_supported(what)

    return refuse


def _collect(node: exp.Expression) -> exp.Expression | None:
    if isinstance(node.this, exp.Limit):
        raise not_supported("STRING_AGG or ARRAY_AGG with LIMIT")
    return None


def _average(node: exp.Expression) -> exp.Expression | None:
    if isinstance(node.parent, exp.Window) or isinstance(node.this, exp.Distinct):
        return None
    return _call("bq_avg", node.this)


def _date(node: exp.Expression) -> exp.Expression:
    """Return the call with the type of its argument, which it has in BigQuery ("Date functions"); a text is a DATE."""
    start = WEEKS.get(_unit(node.args.get("unit"))) if isinstance(node, exp.DateTrunc) else None
    made = node.copy() if start is None else _call("bq_week", node.this, _number(start))
    if node.this.is_string or isinstance(node.this, exp.CurrentDate) or node.this.is_type("DATE"):
        return _typed(made, "DATE")
    return _call("cast_to_type", made, node.this)


def _difference(node: exp.Expression) -> exp.Expression | None:
    """Return DATE_DIFF, which counts borders between dates, and whole units between timestamps."""
    microseconds = _MICROSECONDS.get(_unit(node.args.get("unit")))
    if microseconds is None:
        return None
    return _typed(_call("bq_difference", node, node.this, node.expression, _number(microseconds)), "BIGINT")


def _offset(node: exp.Expression) -> exp.Expression | None:
    """Return UNNEST WITH OFFSET, which counts from 0, as a query of DuckDB's, which counts from 1."""
    offset, alias = node.args.get("offset"), node.args.get("alias")
    if not isinstance(offset, exp.Identifier) or not alias or not alias.columns:
        return None
    counted = exp.Sub(this=exp.column(offset.copy()), expression=_number(1)).as_(offset.copy())
    query = exp.select(exp.column(alias.columns[0].copy()), counted).from_(node.copy())
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(f"unnested_{offset.name}")))


def _trunc_week(node: exp.Expression) -> exp.Expression | None:
    start = WEEKS.get(_unit(node.args.get("unit")))
    if start is None:
        return None
    zone = node.args.get("zone") or exp.Literal.string("UTC")
    moment = exp.AtTimeZone(this=_typed(node.this.copy(), "TIMESTAMPTZ"), zone=zone.copy())
    return exp.AtTimeZone(this=_typed(_call("bq_week", moment, _number(start)), "TIMESTAMP"), zone=zone.copy())


def _last_day(node: exp.Expression) -> exp.Expression | None:
    start = WEEKS.get(_unit(node.args.get("unit")))
    if start is None:
        return None
    return _typed(exp.Add(this=_call("bq_week", node.this, _number(start)), expression=_number(6)), "DATE")


def _regexp_extract(node: exp.Expression) -> exp.Expression | None:
    if node.args.get("position") or node.args.get("occurrence"):
        return None
    group = node.args.get("group") or _number(0)
    return _typed(_call("bq_regexp_extract", node.this, node.expression, group), "VARCHAR")


_BACKSLASH = exp.Literal.string("\\")
_REWRITES: Mapping[str, _Rewrite] = MappingProxyType(
    {
        "Extract": _extract,
        "TimestampDiff": _elapsed,
        "Format": _format,
        "TimeToStr": _format_time,
        "StrToTime": _parse_time,
        "UnixToTime": lambda node: _typed(node.copy(), "TIMESTAMPTZ"),
        "DateFromUnixDate": lambda node: _typed(node.copy(), "DATE"),
        "Window": _window,
        "Avg": _average,
        "Div": lambda node: _call("bq_divide", node.this, node.expression),
        "SafeDivide": lambda node: _call("bq_safe_divide", node.this, node.expression),
        **dict.fromkeys(("DateAdd", "DateSub", "DateTrunc"), _date),
        "DateDiff": _difference,
        "Unnest": _offset,
        "TimestampTrunc": _trunc_week,
        "LastDay": _last_day,
        "RegexpExtract": _regexp_extract,
        "Like": _like,
        "Substring": _substring,
        "String": _string,
        "JSONExtract": lambda node: _call("bq_json_query", _read_valid(node), node.this),
        "JSONExtractScalar": _read_valid,
        "JSONFormat": lambda node: _typed(_call("bq_to_json_string", node.this), "VARCHAR"),
        **dict.fromkeys(("Round", "Ceil", "Floor", "Trunc"), lambda node: _call("bq_rounded", node, node.this)),
        "Sign": lambda node: _call("cast_to_type", node, node.this),
        **dict.fromkeys(("Cast", "TryCast"), _cast),
        "ByteLength": lambda node: _call("strlen", node.this),
        **dict.fromkeys(("GroupConcat", "ArrayAgg"), _collect),
        "SafeFunc": _refuse("The prefix SAFE."),
    }
)
"""What replaces a call, by the name of its class; some releases of sqlglot lack the class. None = it stays."""
