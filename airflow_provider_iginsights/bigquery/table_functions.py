"""Creates and updates the table functions of targets: views that are told which days to read."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, StateChanged
from airflow_provider_iginsights.bigquery.view_state import (
    describe_foreign,
    is_ours,
    view_description,
    view_path,
    view_query,
)
from airflow_provider_iginsights.catalog.view_definition import bind_parameters
from airflow_provider_iginsights.errors import IncompatibleTable

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View

Made = Literal["created", "updated", "unchanged"]

_KIND = "TABLE_VALUED_FUNCTION"
_ID = re.compile(r"[A-Za-z0-9_]{1,256}")
"""The id of a routine ("RoutineReference"); a table may also have hyphens, spaces and letters of any language."""


# A column of that name comes before the argument ("Table functions: argument name ambiguity"), and a table may have
# columns of somebody's own.
_ARGUMENT = "iginsights_{}"


def can_be_named(view: View, target: TargetTable) -> bool:
    """Return whether BigQuery takes the name of this view: that of a table function is made of the table's id."""
    return not view.parameters or _ID.fullmatch(view.view_id(target.table_id)) is not None


def make_function(view: View, target: TargetTable, *, session: BigQuerySession) -> Made:
    """Create the table function, or replace its query if it is another one; return what was done.

    Raises IncompatibleTable where somebody else's routine has its name, DatasetUnavailable or LoadError.
    """
    once = partial(_make_once, view, target, session=session)
    return session.retrier.call(once, doing=f"create or update the table function {view_path(view, target)}")


def _make_once(view: View, target: TargetTable, *, session: BigQuerySession) -> Made:
    from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed

    client, wanted = session.client, describe_function(view, target)
    try:
        found = client.get_routine(view_path(view, target), retry=None, timeout=HTTP_TIMEOUT)
    except NotFound:
        try:
            client.create_routine(wanted, retry=None, timeout=HTTP_TIMEOUT)
        except Conflict as conflict:
            raise StateChanged("somebody else created it after it was looked for") from conflict
        return "created"
    if (found.type_, found.body) == (_KIND, wanted.body):
        return "unchanged"
    if not is_ours(found):
        raise IncompatibleTable(describe_foreign(view_path(view, target), "routine"))
    for name in _FIELDS:
        setattr(found, name, getattr(wanted, name))
    try:
        client.update_routine(found, _FIELDS, retry=None, timeout=HTTP_TIMEOUT)
    except (PreconditionFailed, NotFound) as changed:
        raise StateChanged("somebody else changed it after it was read") from changed
    return "updated"


# An update replaces the whole routine ("routines.update").
_FIELDS = ["type_", "language", "arguments", "body", "description"]


def describe_function(view: View, target: TargetTable) -> Any:
    """Return the table function as google.cloud.bigquery.Routine."""
    from google.cloud.bigquery import Routine, RoutineArgument, StandardSqlDataType, StandardSqlTypeNames

    day = StandardSqlDataType(type_kind=StandardSqlTypeNames.DATE)
    return Routine(
        view_path(view, target),
        type_=_KIND,
        language="SQL",
        arguments=[RoutineArgument(name=_ARGUMENT.format(name), data_type=day) for name in view.parameters],
        body=bind_parameters(view, view_query(view, target), _ARGUMENT.format),
        description=view_description(view, target),
    )
