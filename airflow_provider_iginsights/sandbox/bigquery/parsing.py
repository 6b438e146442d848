"""Reads a GoogleSQL text into trees of sqlglot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError
from sqlglot.tokens import Token, TokenType

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.sqlglot_versions import DropPrimaryKey

__all__ = ["parse_statements"]

_DROPS_KEY = re.compile(r"\s*ALTER\s+TABLE\b[^;]*\bDROP\s+PRIMARY\s+KEY\b[^;]*$", re.IGNORECASE)
# sqlglot reads these with BigQuery's functions and operators, which they are not; DuckDB would answer them.
_FOREIGN_FUNCTIONS = frozenset(
    [
        *("ARG_MAX", "ARG_MIN", "FIRST", "LAST", "LISTAGG", "MEDIAN", "MODE", "QUANTILE", "QUANTILE_CONT"),
        *("CHARINDEX", "LEN", "LOCATE", "POSITION", "STRING_SPLIT"),
        *("DATEDIFF", "DATE_PART", "EPOCH", "GETDATE", "NOW", "STRFTIME", "STRPTIME"),
        *("TO_CHAR", "TO_DATE", "TO_TIMESTAMP"),
        *("DECODE", "IIF", "ISNULL", "NVL", "NVL2"),
    ]
)
_FOREIGN_OPERATORS = frozenset(("::", "%", "//", "ILIKE"))
_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER)
_ACTIONS = {"ADD", "ALTER", "DROP", "RENAME", "SET"}


def parse_statements(sql: str) -> list[exp.Expression]:
    """Return the statements of a GoogleSQL text, ``ALTER TABLE ... DROP PRIMARY KEY`` among them.

    Raises SqlglotError for what is no SQL, and BigQueryError for what is SQL elsewhere.
    """
    dialect = Dialect.get_or_raise("bigquery")
    tokens = dialect.tokenize(sql)
    _check_words(tokens)
    if _DROPS_KEY.match(sql):
        return [_read_alter(sql, tokens)]
    return [tree for tree in dialect.parser().parse(tokens, sql) if tree is not None]


def _check_words(tokens: Sequence[Token]) -> None:
    for before, token, behind in zip_longest([None, *tokens[:-1]], tokens, tokens[1:]):
        # Such a word may also be the name of a column or, behind a point, of a table.
        if token is None or token.token_type in _QUOTED or (before and before.token_type == TokenType.DOT):
            continue
        word, is_called = token.text.upper(), behind is not None and behind.token_type == TokenType.L_PAREN
        if word in _FOREIGN_FUNCTIONS and is_called:
            raise BigQueryError("invalidQuery", f"Function not found: {word}", location="query")
        if word in _FOREIGN_OPERATORS or (word == "FILTER" and is_called):
            raise BigQueryError("invalidQuery", f'Syntax error: Unexpected "{token.text}"', location="query")


def _read_alter(sql: str, tokens: Sequence[Token]) -> exp.Expression:
    """Return an ALTER TABLE whose actions are read each by itself."""
    # sqlglot's parser of BigQuery knows no DROP PRIMARY KEY, and lets only actions of one kind follow one another.
    start = next(at for at, token in enumerate(tokens) if at > 1 and token.text.upper() in _ACTIONS)
    head = sql[: tokens[start].start]
    tree = sqlglot.parse_one(f"{head} ADD COLUMN x INT64", read="bigquery")
    actions: list[exp.Expression] = []
    for part in _split(tokens[start:]):
        words = [token.text.upper() for token in part]
        if words[:2] == ["DROP", "PRIMARY KEY"] and words[2:] in ([], ["IF", "EXISTS"]):
            actions.append(DropPrimaryKey())
            actions[-1].meta["exists"] = bool(words[2:])
        else:
            text = sql[part[0].start : part[-1].end + 1] if part else ""
            read = sqlglot.parse_one(f"{head} {text}", read="bigquery")
            if not isinstance(read, exp.Alter):
                raise ParseError(f"Unexpected {text!r} in ALTER TABLE")
            actions += read.args["actions"]
    tree.set("actions", actions)
    return tree


def _split(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Yield the parts between commas that stand in no parentheses."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if token.token_type == TokenType.COMMA and not depth:
            yield part
            part = []
        else:
            part.append(token)
    yield part
