"""Functions in the local BigQuery: each answers as Google's own implementation does, or is refused by its name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery
from zetasql.core import ZetaSQLError

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from tests.support.bigquery.google_answers import evaluate

ANSWERED, _, ERRORS = (
    Path(__file__).with_name("expressions.sql").read_text(encoding="utf-8").partition("\n-- Errors to both")
)
# The REST API still has the names of legacy SQL.
STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
# An older release knows fewer functions; these are refused.
KNOWS_LESS = tuple(map(int, sqlglot.__version__.split(".")[:2])) < (30, 30)
Given = tuple[str, Any]
"""The type and the value of an expression."""
REFUSAL: Given = ("", None)
TOGETHER = 30
"""Expressions that are asked in one query."""
REFUSED = [
    "IEEE_DIVIDE(1, 0)",
    "SAFE_ADD(1, 2)",
    "FARM_FINGERPRINT('a')",
    "INSTR('hello', 'l', 1, 2)",
    "SOUNDEX('Robert')",
    "SAFE.PARSE_DATE('%F', 'x')",
    "FORMAT('%t', DATE '2026-01-01')",
    'FORMAT("%\'d", 1234567)',
    "FORMAT_DATE('%e', DATE '2026-11-08')",
    "FORMAT_DATE('%Q', DATE '2026-11-08')",
    "FORMAT_TIMESTAMP('%F %Z', TIMESTAMP '2026-11-08 01:02:03Z', 'America/Los_Angeles')",
    "FORMAT_TIMESTAMP('%E3S', TIMESTAMP '2026-11-08 01:02:03.5Z')",
    "PARSE_TIMESTAMP('%Y-%m-%d', '2026-11-08', 'America/Los_Angeles')",
    "CAST(DATE '2026-11-28' AS STRING FORMAT 'YYYY/MM')",
    "DATE '2026-11-28' - DATE '2026-11-20'",
    "TIMESTAMP_DIFF(TIMESTAMP '2026-11-08 01:02:03Z', TIMESTAMP '2026-11-07 01:02:03Z', NANOSECOND)",
    "EXTRACT(TIME FROM TIMESTAMP '2026-11-08 01:02:03Z')",
    "(SELECT STRING_AGG(x ORDER BY x LIMIT 1) FROM UNNEST(['b', 'a']) AS x)",
    "(SELECT ARRAY_AGG(x ORDER BY x LIMIT 1)[OFFSET(0)] FROM UNNEST([1, 3]) AS x)",
]


def list_expressions(text: str) -> list[str]:
    """Return the lines of a part of the file, without its headings."""
    return [line for line in text.splitlines()[1:] if line and not line.startswith("--")]


@pytest.fixture(scope="module")
def client() -> Iterator[bigquery.Client]:
    """Run a BigQuery without tables."""
    with BigQuerySandbox() as running:
        yield running.client()


@pytest.fixture(scope="module")
def together(client: bigquery.Client) -> Mapping[str, tuple[Given, Given]]:
    """Return what the local BigQuery and Google answer to each expression that can be answered beside others.

    A query for each of them would take four times as long. Where one of those that are asked together is refused, all
    of them are missing here, and each is asked by itself.
    """
    found: dict[str, tuple[Given, Given]] = {}
    expressions = list_expressions(ANSWERED)
    for start in range(0, len(expressions), TOGETHER):
        some = expressions[start : start + TOGETHER]
        sql = f"SELECT {', '.join(f'{each} AS x{place}' for place, each in enumerate(some))}"
        with suppress(BadRequest, ZetaSQLError):
            found |= zip(some, zip(read_answers(client, sql), read_google(sql), strict=True), strict=True)
    return found


def read_answers(client: bigquery.Client, sql: str) -> list[Given]:
    """Return the type and the value of each column of the only row."""
    found = client.query_and_wait(sql)
    (row,) = found
    kinds = [STANDARD.get(each.field_type, each.field_type) for each in found.schema]
    return [(kind, comparable(value)) for kind, value in zip(kinds, row.values(), strict=True)]


def read_google(sql: str) -> list[Given]:
    """Return the same of Google."""
    found = evaluate(sql)
    (row,) = found.rows
    return [(kind, comparable(value)) for (_, kind), value in zip(found.columns, row, strict=True)]


def answer(client: bigquery.Client, sql: str) -> Given:
    """Return the type of a query's only value, and the value; REFUSAL where the query is refused."""
    try:
        (only,) = read_answers(client, sql)
    except BadRequest as refusal:
        if KNOWS_LESS and "not supported by this sandbox" in str(refusal):
            pytest.skip("This release of sqlglot does not know the function.")
        return REFUSAL
    return only


def google_answer(sql: str) -> Given:
    """Return the same of Google."""
    try:
        (only,) = read_google(sql)
    except ZetaSQLError:
        return REFUSAL
    return only


def comparable(value: Any) -> Any:
    """Return a value that equals another of which the last digits of a float, or its being no number, are the same."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.12g}")
    return value.normalize() + 0 if isinstance(value, Decimal) else value


@pytest.mark.parametrize("expression", list_expressions(ANSWERED))
def test_an_expression_has_googles_type_and_value(
    client: bigquery.Client, together: Mapping[str, tuple[Given, Given]], expression: str
) -> None:
    """What stands in a query means what it means to Google, which answers it."""
    sql = f"SELECT {expression} AS x"
    given, expected = together.get(expression) or (answer(client, sql), google_answer(sql))
    assert expected != REFUSAL
    assert given == expected


@pytest.mark.parametrize("expression", list_expressions(ERRORS))
def test_an_error_to_google_is_one_here(client: bigquery.Client, expression: str) -> None:
    """What Google refuses to answer, or what ends in an error there, is not answered."""
    sql = f"SELECT {expression} AS x"
    assert (answer(client, sql), google_answer(sql)) == (REFUSAL, REFUSAL)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_would_differ_is_refused(client: bigquery.Client, expression: str) -> None:
    """What the local BigQuery cannot answer as Google does is an error that says so, never another answer."""
    with pytest.raises(BadRequest, match="not supported by this sandbox"):
        client.query_and_wait(f"SELECT {expression} AS x")
