"""What a view is called and asks, and what it says about itself: up to which day it reads its current table.

A view of the latest numbers reads the days up to ``through`` from its current table, which has the newest number of
each key of these days, and the days after it from the table itself. Its query holds that day, so that one request
changes both; a label holds it, too, by which it is read again.
"""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.current_columns import spread
from airflow_provider_iginsights.bigquery.identifiers import quoted

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View

_THROUGH, _LATE = "iginsights_current_through", "iginsights_late_rows"
_SUFFIX = "_current"
VIEW_LABEL = "iginsights_view"
"""The label of every view that this provider made."""
_EXAMPLE = " For example:\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """What the labels of a view say.

    ``through``: the last (Pacific) day that is read from the current table; None = the table itself is read whole.
    ``late``: the last day on which a task was about to write rows of old days, or on which the view was made.
    """

    through: date | None = None
    late: date | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that say it; a label cannot be missing again, but it can be empty."""
        return {_THROUGH: str(self.through or ""), _LATE: str(self.late or "")}


def read_state(view: View, target: TargetTable, *, found: Any) -> ViewState:
    """Return the state of a view; where its query is not the one that its labels say, it reads the table itself.

    :param found: the view as google.cloud.bigquery.Table.
    """
    labels = found.labels or {}
    state = ViewState(through=_day(labels.get(_THROUGH)), late=_day(labels.get(_LATE)))
    if found.view_query == view_query(view, target, through=state.through):
        return state
    return replace(state, through=None)


def is_ours(found: Any) -> bool:
    """Return whether this provider made a view, whoever has changed it since; a table function has no labels.

    :param found: google.cloud.bigquery.Table or Routine.
    """
    return VIEW_LABEL in (getattr(found, "labels", None) or {}) or _EXAMPLE in (found.description or "")


def describe_foreign(path: str, kind: str) -> str:
    """Return the message about a view of somebody else's that has a name which is needed."""
    return (
        f"{path} is a {kind} that somebody else made, and the one of this name cannot be made. It was left as it is. "
        "Rename it, drop it if nobody needs it, or give the table that it would show another id."
    )


def view_path(view: View, target: TargetTable) -> str:
    """Return ``project.dataset.view`` of a view of this target."""
    return target.beside(view.view_id(target.table_id))


def view_description(view: View, target: TargetTable) -> str:
    """Return the description of the view of this target, which ends with an example query."""
    return f"{view.description}{_EXAMPLE}{view.example.format(view=quoted(view_path(view, target)))}"


def current_target(view: View, target: TargetTable) -> TargetTable | None:
    """Return the current table of a view of this target; None if it needs none."""
    if view.current is None:
        return None
    return replace(target, table=view.current.table, table_id=f"{target.table_id}{_SUFFIX}")


def view_query(view: View, target: TargetTable, *, through: date | None = None) -> str:
    """Return the view's query over this target, and up to the day ``through`` over its current table."""
    current = current_target(view, target)
    if through is None or current is None or view.current is None:
        return view.read(quoted(target.path))
    day, names = quoted(view.table.partition_by), ", ".join(map(quoted, view.table.column_names))
    until = f"C.{day} <= DATE '{through}'"
    return view.read(
        f"(\n  SELECT {names} FROM {quoted(target.path)} WHERE {day} > DATE '{through}'\n"
        f"  UNION ALL\n  {spread(view.current, current.path, condition=until)}\n)"
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
