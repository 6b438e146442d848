"""What DuckDB is taught to answer as BigQuery does: macros, which the functions of a query become.

The sources are BigQuery's pages of GoogleSQL functions, named behind each rule, and what Google's own implementation of
the language answers, with which the tests compare every function here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MACROS", "PARTS", "WEEKS", "name_part"]

_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
WEEKS: Mapping[str, int] = MappingProxyType(
    {
        # "Date functions", DATE_TRUNC: a plain WEEK begins on Sunday. So many days after Monday.
        "ISOWEEK": 0,
        "WEEK": _DAYS.index("SUNDAY"),
        **{f"WEEK({day})": number for number, day in enumerate(_DAYS)},
    }
)
# list_median has the type a division has in BigQuery: NUMERIC where one side is, else FLOAT64.
_KIND = "list_median([CASE WHEN false THEN a END, CASE WHEN false THEN b END])"
# ROUND and its like answer a FLOAT64 for an INT64, else the type of their argument ("Mathematical functions").
_ROUNDED = "list_median([CASE WHEN false THEN a END])"
# Behind the second, BigQuery writes three digits or six ("Conversion rules", CAST of a TIMESTAMP to STRING).
_SECONDS = (
    "strftime(a, '%Y-%m-%d %H:%M:%S') || CASE WHEN epoch_us(a) % 1000000 = 0 THEN '' WHEN epoch_us(a) % 1000 = 0"
    " THEN strftime(a, '.%g') ELSE strftime(a, '.%f') END"
)
_OFFSET = "(epoch_us(timezone(z, a)) - epoch_us(a)) // 60000000"
PARTS: Mapping[str, str] = MappingProxyType(
    {
        # "Date functions" and "Timestamp functions", EXTRACT: Sunday is 1; a week begins on Sunday.
        "DAYOFWEEK": "date_part('dow', a) + 1",
        "DAYOFYEAR": "date_part('doy', a)",
        "MICROSECOND": "date_part('microseconds', a) % 1000000",
        "MILLISECOND": "date_part('milliseconds', a) % 1000",
        "ISOWEEK": "date_part('week', a)",
        "WEEK": f"bq_week_of_year(a, {_DAYS.index('SUNDAY')})",
        **{f"WEEK({day})": f"bq_week_of_year(a, {number})" for number, day in enumerate(_DAYS)},
        **{
            name: f"date_part('{name.lower()}', a)"
            for name in ("SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "QUARTER", "YEAR", "ISOYEAR")
        },
    }
)


def name_part(part: str) -> str:
    """Return bq_part_dayofweek for DAYOFWEEK, and bq_part_week_monday for WEEK(MONDAY)."""
    return f"bq_part_{part.rstrip(')').replace('(', '_').lower()}"


_ROUNDS = "WHEN typeof(a) IN ('DOUBLE', 'FLOAT') THEN {}(round(TRY_CAST(a AS DOUBLE)) AS BIGINT)"
_IS_WHOLE = r"regexp_full_match(CAST(a AS VARCHAR), '\s*[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)\s*')"
_IS_BOOL = "lower(CAST(a AS VARCHAR)) IN ('true', 'false')"
_SHORT = "format('{:.15g}', TRY_CAST(a AS DOUBLE) + 0.0)"
MACROS = (
    "CREATE OR REPLACE MACRO bq_divide(a, b) AS CASE WHEN b = 0 THEN error('division by zero')"
    f" ELSE cast_to_type(a / b, {_KIND}) END",
    f"CREATE OR REPLACE MACRO bq_safe_divide(a, b) AS CASE WHEN b <> 0 THEN cast_to_type(a / b, {_KIND}) END",
    "CREATE OR REPLACE MACRO bq_avg(a) AS cast_to_type(avg(a), list_median([min(a)]))",
    # DATE_TRUNC by a week that begins ``n`` days after Monday; DuckDB's begin on Monday.
    "CREATE OR REPLACE MACRO bq_week(a, n) AS CAST(date_trunc('week', CAST(a AS DATE) - n) AS DATE) + n",
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
    *(f"CREATE OR REPLACE MACRO {name_part(part)}(a) AS {sql}" for part, sql in PARTS.items()),
    # The whole units between the two; DuckDB's date_diff counts the borders that are crossed.
    "CREATE OR REPLACE MACRO bq_elapsed(a, b, n) AS"
    " (epoch_us(CAST(a AS TIMESTAMPTZ)) - epoch_us(CAST(b AS TIMESTAMPTZ))) // n",
    "CREATE OR REPLACE MACRO bq_difference(d, a, b, n) AS"
    " CASE WHEN typeof(a) = 'TIMESTAMP WITH TIME ZONE' THEN bq_elapsed(a, b, n) ELSE d END",
    # 0 is the first place, and so is all that lies before it ("String functions", SUBSTR).
    "CREATE OR REPLACE MACRO bq_from(a, p) AS CASE WHEN p = 0 OR p < -length(a) THEN 1 ELSE p END",
    "CREATE OR REPLACE MACRO bq_count(n) AS CASE WHEN n < 0 THEN error('Third argument in SUBSTR() cannot be negative')"
    " ELSE n END",
    # What does not match has no text ("String functions", REGEXP_EXTRACT); in DuckDB it is empty.
    "CREATE OR REPLACE MACRO bq_regexp_extract(a, p, g) AS"
    " CASE WHEN regexp_matches(a, p) THEN regexp_extract(a, p, g) END",
    "CREATE OR REPLACE MACRO bq_valid_json(a) AS CASE WHEN json_valid(a) THEN a END",
    # A text of JSON is answered by a text, and its null by NULL ("JSON functions", JSON_QUERY).
    "CREATE OR REPLACE MACRO bq_json_query(x, a) AS NULLIF(cast_to_type(x, a), 'null')",
    # What a float or a JSON number cannot hold is a text ("JSON functions", TO_JSON_STRING).
    "CREATE OR REPLACE MACRO bq_to_json_string(a) AS CASE WHEN starts_with(typeof(a), 'DECIMAL') THEN"
    " CASE WHEN contains(bq_string(a), '.') OR abs(TRY_CAST(a AS DECIMAL(38, 9))) > 9007199254740992"
    " THEN '\"' || bq_string(a) || '\"' ELSE bq_string(a) END"
    " WHEN typeof(a) IN ('DOUBLE', 'FLOAT') THEN bq_string(a) ELSE COALESCE(CAST(to_json(a) AS VARCHAR), 'null') END",
)
