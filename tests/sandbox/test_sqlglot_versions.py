"""A statement means the same whichever release of sqlglot reads it, the oldest that pyproject.toml allows included."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.query import duckdb_sql, parse
from airflow_provider_iginsights.sandbox.bigquery.sqlglot_versions import (
    ClusterBy,
    DropPrimaryKey,
    check_interpreted,
    unify,
)

COLUMNS = [exp.column("account"), exp.column("metric")]
IN_ORDER = [exp.Ordered(this=column.copy(), nulls_first=True) for column in COLUMNS]
NEWER = getattr(exp, "ClusterProperty", exp.Cluster)


def names_in(node: exp.Expression) -> list[str]:
    """Return the names of the columns that a node lists."""
    return [column.name for column in node.expressions]


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        pytest.param(exp.Cluster(expressions=IN_ORDER), ClusterBy, id="before 30.5"),
        pytest.param(NEWER(expressions=COLUMNS), ClusterBy, id="since 30.5"),
        pytest.param(exp.PrimaryKey(expressions=IN_ORDER, options=["NOT ENFORCED"]), exp.PrimaryKey, id="before 30"),
        pytest.param(exp.PrimaryKey(expressions=COLUMNS, options=["NOT ENFORCED"]), exp.PrimaryKey, id="since 30"),
    ],
)
def test_each_reading_becomes_the_same_node(read: exp.Expression, kind: type[exp.Expression]) -> None:
    """Whatever a release made of the clause, the node has plain columns, and keeps what else was said."""
    tree = exp.Properties(expressions=[read])
    unify(tree)
    [node] = tree.expressions
    assert (type(node), names_in(node)) == (kind, ["account", "metric"])
    assert node.args.get("options") == read.args.get("options")


def test_the_installed_release_is_read_so_too() -> None:
    """Both clauses of a definition come out as the nodes that a table is made from."""
    tree = parse("CREATE TABLE d.t (account STRING, PRIMARY KEY (account) NOT ENFORCED) CLUSTER BY account, metric")
    [clustered], [key] = list(tree.find_all(ClusterBy)), list(tree.find_all(exp.PrimaryKey))
    assert (names_in(clustered), names_in(key)) == (["account", "metric"], ["account"])


def test_the_caller_is_a_call() -> None:
    """A release that knows SESSION_USER() and one that does not give the same node."""
    [call] = parse("SELECT SESSION_USER()").find_all(exp.Anonymous)
    assert call.name == "SESSION_USER"


@pytest.mark.parametrize(
    ("actions", "kinds"),
    [
        ("DROP PRIMARY KEY", [DropPrimaryKey]),
        ("DROP PRIMARY KEY IF EXISTS", [DropPrimaryKey]),
        ("DROP PRIMARY KEY, ADD PRIMARY KEY (a) NOT ENFORCED", [DropPrimaryKey, exp.AddConstraint]),
        ("DROP PRIMARY KEY, DROP PRIMARY KEY", [DropPrimaryKey, DropPrimaryKey]),
    ],
)
def test_a_dropped_key_is_read(actions: str, kinds: list[type[exp.Expression]]) -> None:
    """Also where another action follows it, which older releases do not expect."""
    found = parse(f"ALTER TABLE d.t {actions}").args["actions"]
    assert [type(action) for action in found] == kinds
    assert bool(found[0].meta["exists"]) is ("IF EXISTS" in actions)


@pytest.mark.parametrize(
    ("file", "is_refused"),
    [
        ("site-packages/sqlglot/parser.py", False),
        ("site-packages/sqlglot/parser.cpython-311-x86_64-linux-gnu.so", True),
    ],
)
def test_a_compiled_release_is_refused(file: str, is_refused: bool) -> None:
    """With sqlglotc installed every statement failed in its own words; now the sandbox says what to take out."""
    with pytest.raises(ImportError, match="pip uninstall sqlglotc") if is_refused else nullcontext():
        check_interpreted(file)


@pytest.mark.parametrize("word", ["at", "end", "order", "v"])
def test_names_are_quoted(word: str) -> None:
    """A column may have a name that is a word of DuckDB's; no release of sqlglot knows all of them."""
    assert duckdb_sql(parse(f"SELECT `{word}` FROM t")) == f'SELECT "{word}" FROM "t"'
    if word == "at":
        assert duckdb_sql(parse("SELECT at FROM t")) == 'SELECT "at" FROM "t"'
