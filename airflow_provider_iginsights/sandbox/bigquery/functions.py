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

__all__ = ["DAYS_OF_WEEK", "FUNCTION_MACROS", "rewrite_functions"]

DAYS_OF_WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
# ROUND and its like answer a FLOAT64 for an INT64, else the type of their argument ("Mathematical functions").
_ROUNDED = "list_median([CASE WHEN false THEN a END])"
# Behind the second, BigQuery writes three digits or six ("Conversion rules", CAST of a TIMESTAMP to STRING).
_SECONDS = (
    "strftime(a, '%Y-%m-%d %H:%M:%S') || CASE WHEN epoch_us(a) % 1000000 = 0 THEN '' WHEN epoch_us(a) % 1000 = 0"
    " THEN strftime(a, '.%g') ELSE strftime(a, '.%f') END"
)
_OFFSET = "(epoch_us(timezone(z, a)) - epoch_us(a)) // 60000000"
_PARTS: Mapping[str, str] = MappingProxyType(
    {
        # "Date functions" and "Timestamp functions", EXTRACT: Sunday is 1; a week begins on Sunday.
        "DAYOFWEEK": "date_part('dow', a) + 1",
        "DAYOFYEAR": "date_part('doy', a)",
        "MICROSECOND": "date_part('microseconds', a) % 1000000",
        "MILLISECOND": "date_part('milliseconds', a) % 1000",
        "ISOWEEK": "date_part('week', a)",
        "WEEK": f"bq_week_of_year(a, {DAYS_OF_WEEK.index('SUNDAY')})",
        **{f"WEEK({day})": f"bq_week_of_year(a, {number})" for number, day in enumerate(DAYS_OF_WEEK)},
        **{
            name: f"date_part('{name.lower()}', a)"
            for name in ("SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "QUARTER", "YEAR", "ISOYEAR")
        },
    }
)


def _name_part(part: str) -> str:
    """Return bq_part_dayofweek for DAYOFWEEK, and bq_part_week_monday for WEEK(MONDAY)."""
    return f"bq_part_{part.rstrip(')').replace('(', '_').lower()}"


_ROUNDS = "WHEN typeof(a) IN ('DOUBLE', 'FLOAT') THEN {}(round(TRY_CAST(a AS DOUBLE)) AS BIGINT)"
_IS_WHOLE = r"regexp_full_match(CAST(a AS VARCHAR), '\s*[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)\s*')"
_IS_BOOL = "lower(CAST(a AS VARCHAR)) IN ('true', 'false')"
_SHORT = "format('{:.15g}', TRY_CAST(a AS DOUBLE) + 0.0)"
FUNCTION_MACROS = (
    f"CREATE OR REPLACE MACRO bq_rounded(x, a) AS cast_to_type(x, {_ROUNDED})",
    f"CREATE OR REPLACE MACRO bq_seconds(a) AS {_SECONDS}",
    # CAST of a float to INT64 rounds half away from zero ("Conversion rules"), and DuckDB to even; of a text, it takes
    # whole numbers alone, where DuckDB rounds.
    f"CREATE OR REPLACE MACRO bq_integer(a) AS CASE {_ROUNDS.format('CAST')} WHEN typeof(a) = 'VARCHAR'"
    f" AND NOT {_IS_WHOLE} THEN error('Bad int64 value: ' || CAST(a AS VARCHAR)) ELSE CAST(a AS BIGINT) END",
    f"CREATE OR REPLACE MACRO bq_safe_integer(a) AS CASE {_ROUNDS.format('TRY_CAST')} WHEN typeof(a) = 'VARCHAR'"
    f" AND NOT {_IS_WHOLE} THEN NULL ELSE TRY_CAST(a AS BIGINT) END",
    f"CREATE OR REPLACE MACRO bq_bool(a) AS CASE WHEN typeof(a) = 'VARCHAR' AND NOT {_IS_BOOL}"
    " THEN error('Bad bool value: ' || CAST(a AS VARCHAR)) ELSE CAST(a AS BOOLEAN) END",
    f"CREATE OR REPLACE MACRO bq_safe_bool(a) AS CASE WHEN typeof(a) = 'VARCHAR' AND NOT {_IS_BOOL}"
    " THEN NULL ELSE TRY_CAST(a AS BOOLEAN) END",
    # A NUMERIC has no trailing zeros as text in BigQuery, and its whole scale in DuckDB; a float the fewest digits
    # that read as the same again, with an exponent from 1e+15 on.
    "CREATE OR REPLACE MACRO bq_string(a) AS CASE WHEN starts_with(typeof(a), 'DECIMAL')"
    " THEN rtrim(rtrim(CAST(TRY_CAST(a AS DECIMAL(38, 9)) AS VARCHAR), '0'), '.')"
    f" WHEN typeof(a) IN ('DOUBLE', 'FLOAT') THEN CASE WHEN CAST({_SHORT} AS DOUBLE) = TRY_CAST(a AS DOUBLE)"
    f" THEN {_SHORT} ELSE format('{{:.17g}}', TRY_CAST(a AS DOUBLE)) END"
    " WHEN typeof(a) = 'TIMESTAMP WITH TIME ZONE' THEN bq_seconds(TRY_CAST(a AS TIMESTAMP)) || '+00'"
    " ELSE CAST(a AS VARCHAR) END",
    "CREATE OR REPLACE MACRO bq_zoned(a, z) AS bq_seconds(timezone(z, a)) ||"
    f" CASE WHEN {_OFFSET} < 0 THEN '-' ELSE '+' END || printf('%02d', abs({_OFFSET}) // 60)"
    f" || CASE WHEN abs({_OFFSET}) % 60 = 0 THEN '' ELSE printf(':%02d', abs({_OFFSET}) % 60) END",
    # The week of the year, of weeks that begin ``n`` days after Monday: the days before the first are week 0.
    "CREATE OR REPLACE MACRO bq_week_of_year(a, n) AS"
    " (date_part('doy', a) + 6 - (date_part('isodow', a) + 6 - n) % 7) // 7",
    *(f"CREATE OR REPLACE MACRO {_name_part(part)}(a) AS {sql}" for part, sql in _PARTS.items()),
    # The whole units between the two; DuckDB's date_diff counts the borders that are crossed.
    "CREATE OR REPLACE MACRO bq_elapsed(a, b, n) AS"
    " (epoch_us(CAST(a AS TIMESTAMPTZ)) - epoch_us(CAST(b AS TIMESTAMPTZ))) // n",
    # 0 is the first place, and so is all that lies before it ("String functions", SUBSTR).
    "CREATE OR REPLACE MACRO bq_from(a, p) AS CASE WHEN p = 0 OR p < -length(a) THEN 1 ELSE p END",
    "CREATE OR REPLACE MACRO bq_count(n) AS CASE WHEN n < 0 THEN error('Third argument in SUBSTR() cannot be negative')"
    " ELSE n END",
    "CREATE OR REPLACE MACRO bq_valid_json(a) AS CASE WHEN json_valid(a) THEN a END",
    # A text of JSON is answered by a text, and its null by NULL ("JSON functions", JSON_QUERY).
    "CREATE OR REPLACE MACRO bq_json_query(x, a) AS NULLIF(cast_to_type(x, a), 'null')",
    # What a float or a JSON number cannot hold is a text ("JSON functions", TO_JSON_STRING).
    "CREATE OR REPLACE MACRO bq_to_json_string(a) AS CASE WHEN starts_with(typeof(a), 'DECIMAL') THEN"
    " CASE WHEN contains(bq_string(a), '.') OR abs(TRY_CAST(a AS DECIMAL(38, 9))) > 9007199254740992"
    " THEN '\"' || bq_string(a) || '\"' ELSE bq_string(a) END"
    " WHEN typeof(a) IN ('DOUBLE', 'FLOAT') THEN bq_string(a) ELSE COALESCE(CAST(to_json(a) AS VARCHAR), 'null') END",
)
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
    if part not in _PARTS:
        raise not_supported(f"EXTRACT({part})")
    return _typed(_call(_name_part(part), _typed(_local(node.expression), "TIMESTAMP")), "BIGINT")


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
    if not (form.is_string and _PLAIN_TIME.fullmatch(form.name)):
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


def _average(node: exp.Expression) -> exp.Expression | None:
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


def _join(node: exp.Expression) -> exp.Expression | None:
    if isinstance(node.this, exp.Limit):
        raise not_supported("STRING_AGG with LIMIT")
    return None


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
        "Window": _average,
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
        "GroupConcat": _join,
        "SafeFunc": _refuse("The prefix SAFE."),
    }
)
"""What replaces a call, by the name of its class; some releases of sqlglot lack the class. None = it stays."""
