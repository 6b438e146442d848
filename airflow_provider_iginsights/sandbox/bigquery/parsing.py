"""Reads a GoogleSQL text into trees of sqlglot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokens import Token, TokenType

from airflow_provider_iginsights.sandbox.bigquery.sqlglot_versions import DropPrimaryKey

__all__ = ["parse_statements"]

_DROPS_KEY = re.compile(r"\s*ALTER\s+TABLE\b[^;]*\bDROP\s+PRIMARY\s+KEY\b[^;]*$", re.IGNORECASE)
_ACTIONS = {"ADD", "ALTER", "DROP", "RENAME", "SET"}


def parse_statements(sql: str) -> list[exp.Expression]:
    """Return the statements of a GoogleSQL text, ``ALTER TABLE ... DROP PRIMARY KEY`` among them.

    Raises SqlglotError for what is no SQL.
    """
    if _DROPS_KEY.match(sql):
        return [_read_alter(sql, sqlglot.tokenize(sql, read="bigquery"))]
    return [tree for tree in sqlglot.parse(sql, read="bigquery") if tree is not None]


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
