"""What a view is: the vocabulary of the views for analysts.

A view belongs to one table, after whose id it is called, and can read other tables and views of the same dataset.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_provider_iginsights.catalog.columns import ColumnType, Table
    from airflow_provider_iginsights.catalog.current_tables import CurrentTable

ViewName = Literal[
    "account_daily",
    "media_insights_latest",
    "media_growth",
    "story_insights_latest",
    "posts",
    "post_ages",
    "stories",
    "audience",
    "account_weekly",
    "account_monthly",
    "changes",
]
# Texts and quoted names come first, so that no word in them is taken for a parameter.
_WORD = r"'[^']*'|`[^`]*`|\b({})\b"
Sources = Mapping[str, str]
"""What stands after FROM to read each table and view: a quoted path or a subquery, by the name of a table or view."""


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of a view. ``sql``: how it is made of those of the query within; ``''`` = it is one of them."""

    name: str
    type: ColumnType
    description: str
    sql: str = ""

    @property
    def selected(self) -> str:
        """Return it as it stands after SELECT."""
        return f"{self.sql} AS `{self.name}`" if self.sql else f"`{self.name}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of one table, or of several.

    ``suffix`` is put to the table's id, from which the first of ``replaces`` that it ends with is taken away.
    ``select`` takes what it reads, and returns GoogleSQL; ``example`` is a query of the view, ``{view}``.

    ``current``: the table that keeps the newest number of each key; None = the view needs none. ``order``: what
    makes a row the newest, each a GoogleSQL expression in which ``{0}`` stands before a column; the largest wins, and
    the first expression counts most. ``parameters``: names of DATEs that its query takes; with some, it is a table
    function.

    ``tables`` and ``views``: what it reads beside its table; a view of one of these tables. ``columns``: what it shows,
    in their order; ``key``: those that no two of its rows have alike, () = nothing is said; ``can_be_null``: those of
    the key in which NULL has a meaning, and is equal to NULL. ``others``: where those tables and views are, which is
    known where the view is made.
    """

    name: ViewName
    table: Table
    suffix: str
    description: str
    example: str
    select: Callable[[Sources], str]
    columns: tuple[ViewColumn, ...]
    key: tuple[str, ...] = ()
    can_be_null: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    current: CurrentTable | None = None
    parameters: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    views: tuple[ViewName, ...] = ()
    others: Sources = field(default_factory=dict)

    def view_id(self, table_id: str) -> str:
        """Return what the view is called where its table has this id."""
        ending = next((each for each in self.replaces if table_id.endswith(each)), "")
        return table_id.removesuffix(ending) + self.suffix

    def read(self, source: str) -> str:
        """Return the query over this path or subquery of its table."""
        return self.select({**self.others, self.table.name: source})

    def locate(self, others: Sources) -> View:
        """Return the view, given where the other tables and views are that it reads."""
        return replace(self, others=others)


def bind_parameters(view: View, query: str, write: Callable[[str], str]) -> str:
    """Return a query of the view in which each of its parameters is written another way."""
    if not view.parameters:
        return query
    return re.sub(
        _WORD.format("|".join(view.parameters)), lambda found: write(found[1]) if found[1] else found[0], query
    )


def list_columns(names: Iterable[str], *, of: str = "") -> str:
    """Return the names as they stand in GoogleSQL, ``of`` before each."""
    return ", ".join(f"{of}`{name}`" for name in names)


def any_day(table: Table) -> str:
    """Return a condition that all rows meet: a table that requires a filter on its partition takes it for one."""
    return f"`{table.partition_by}` >= DATE '0001-01-01'"


def select_newest(
    table: Table, source: str, *, of: Iterable[str], order: Iterable[str], inside: str = "", shown: Iterable[str] = ()
) -> str:
    """Return the query for one row per value of the columns ``of``: the newest in this order.

    :param inside: condition of the rows that are read; '' = all of them.
    :param shown: the columns; none = all of the table.
    """
    ranked = ", ".join(f"{expression.format('')} DESC" for expression in order)
    return (
        f"SELECT {list_columns(tuple(shown) or table.column_names)}\nFROM {source}\n"
        f"WHERE {inside or any_day(table)}\n"
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {list_columns(of)} ORDER BY {ranked}) = 1"
    )


def show_columns(table: Table, names: Iterable[str] = ()) -> tuple[ViewColumn, ...]:
    """Return these columns of a table as those of a view; without names, all of them."""
    wanted = tuple(names) or table.column_names
    found = {column.name: column for column in table.columns}
    return tuple(ViewColumn(name, found[name].type, found[name].description) for name in wanted)
