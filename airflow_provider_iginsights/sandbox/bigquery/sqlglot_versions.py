"""What one release of sqlglot reads otherwise than another, in one table: ``unify`` makes their statements alike.

What only one release writes otherwise needs no row: all names are quoted, for example, since an older one does not know
that ``at`` is a word of DuckDB's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp, parser

__all__ = ["SESSION_USER", "ClusterBy", "DropPrimaryKey", "check_interpreted", "unify"]


def check_interpreted(file: str) -> None:
    """Raise ImportError where sqlglot's parser is compiled; ``file`` is where it was imported from."""
    # Compiled, sqlglot holds its nodes to their annotated types and refuses ADD COLUMN with OPTIONS, which it reads
    # well when it is interpreted; and no class can inherit from one of its nodes.
    if not file.endswith((".py", ".pyc")):
        raise ImportError(
            "sqlglot is compiled here, and then reads less of GoogleSQL. Take that part out: pip uninstall sqlglotc"
        )


check_interpreted(parser.__file__)

SESSION_USER = "SESSION_USER"


class ClusterBy(exp.Expression):  # type: ignore[misc]
    """``CLUSTER BY`` of a table; ``expressions`` are its columns."""


class DropPrimaryKey(exp.Expression):  # type: ignore[misc]
    """``DROP PRIMARY KEY``; ``meta["exists"]`` says whether with ``IF EXISTS``."""


def _plain(nodes: list[exp.Expression]) -> list[exp.Expression]:
    return [(node.this if isinstance(node, exp.Ordered) else node).copy() for node in nodes]


_ALIKE: Mapping[str, Callable[[exp.Expression], exp.Expression]] = MappingProxyType(
    {
        # Before 30.5, the clause that a query of Hive has; each column with an order.
        "Cluster": lambda node: ClusterBy(expressions=_plain(node.expressions)),
        "ClusterProperty": lambda node: ClusterBy(expressions=_plain(node.expressions)),
        # Before 30, each column with an order.
        "PrimaryKey": lambda node: exp.PrimaryKey(**{**node.args, "expressions": _plain(node.expressions)}),
        # Before 30, a function that sqlglot does not know.
        "SessionUser": lambda _: exp.Anonymous(this=SESSION_USER),
    }
)
"""What replaces a node, by the name of its class; some releases lack the class."""


def unify(tree: exp.Expression) -> None:
    """Replace what releases of sqlglot read differently, in place."""
    for node in list(tree.walk()):
        if alike := _ALIKE.get(type(node).__name__):
            node.replace(alike(node))
