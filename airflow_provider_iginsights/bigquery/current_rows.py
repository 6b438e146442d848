"""Keeps the current table of a view: the newest number of each key, of all days but the last few.

A view reads the days up to ``through`` from there, and the later days from the table itself. Once a day, whoever makes
the views moves ``through`` on, to three days ago:

    MERGE the newest numbers of the days since ``through`` into the current table -> change the day in the view

* A kill between the two costs nothing: the view still reads all of these days from the table itself, and leaves out
  what the current table has of them. The next run merges the same days again, and changes nothing by that.
* Several tasks that do it at once send one job: its id is made of the view's etag and the statement. Whoever changes
  the view second is refused by the etag, and has nothing left to do. What two MERGEs nevertheless insert twice is shown
  once: the view picks the newest row of each key.
* What is younger than three days is read from the table itself, so corrections, deletions by ``replace`` and doubled
  keys show at once. Rows that are older, of staging tables that had to wait or of an outage of stories, are announced
  at the view before they are written: it then reads their days from the table again, or where rows may be deleted all
  days, since older rows can come to count again. For a day at least after an announcement, ``through`` does not move:
  by then the rows are written (BigQuery lets a statement wait and run for 13 hours at most), or their task is dead and
  its retry announces them anew. So no row can be written unnoticed between a MERGE and the change of the view.
* A view that reads its table whole (an older release's, one that somebody changed, one whose table was made anew) gets
  its current table filled from all days, once; what was there of these days goes.
* A current table with other columns than ours is left as it is, and named in a note: the view reads its table whole.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.current_statements import current_statement, expect_current
from airflow_provider_iginsights.bigquery.dry_run import run_text_dry
from airflow_provider_iginsights.bigquery.ensure import ensure_table, find_table
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, StateChanged
from airflow_provider_iginsights.bigquery.target import TableOptions, TaskIdentity
from airflow_provider_iginsights.bigquery.view_state import (
    ViewState,
    current_target,
    is_ours,
    read_state,
    view_path,
    view_query,
)
from airflow_provider_iginsights.catalog.views import find_views
from airflow_provider_iginsights.errors import IncompatibleTable, LoadError
from airflow_provider_iginsights.pacific import DAY, pacific_date

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View

log: logging.Logger = logging.getLogger(__name__)

READ_FROM_TABLE = 3 * DAY
"""So long ago is the last day that a view reads from its current table."""
LATE = 2 * DAY
"""Rows of days so long ago are announced. A day less: a task that looked may take a day until it has written."""
SETTLED = 2 * DAY
"""So long after the day of an announcement the rows are written: a day at least, since it may be made at midnight."""

# The same for all tasks, so that they send the same job.
_ANY_TASK = TaskIdentity(deployment="", dag_id="", task_id="current", run_id="", map_index=-1, try_number=1)


def update_current(view: View, target: TargetTable, *, session: BigQuerySession) -> bool:
    """Move the day on up to which a view reads its current table, if it is time; return whether it moved.

    What BigQuery refuses is noted: the view goes on as it was, and is right.
    """
    path = view_path(view, target)
    found: Any = session.find(session.client.get_table, path, doing=f"read the view {path}")
    if found is None:  # dropped just now
        return False
    state = read_state(view, target, found=found)
    through = find_next_day(state, today=pacific_date(session.clock.now()))
    if through is None:
        return False
    try:
        _merge(view, target, state=state, through=through, etag=found.etag, session=session)
        moved = replace(state, through=through)
        once = partial(_write_state, view, target, found=found, state=moved, session=session)
        has_moved = session.retrier.call(once, doing=f"let the view {path} read its current table up to {through}")
    except LoadError as error:
        session.note(f"The view {path} is right, and reads more days than it needs to: {error}")
        return False
    if not has_moved:
        log.info("The view %s was changed by another task; this one leaves it so.", path)
    return has_moved


def find_next_day(state: ViewState, *, today: date) -> date | None:
    """Return the day to which ``through`` is to be moved; None = not now."""
    through = today - READ_FROM_TABLE
    is_settled = state.late is None or state.late <= today - SETTLED
    return through if is_settled and (state.through is None or state.through < through) else None


def announce_late_rows(target: TargetTable, *, first_day: str, deletes: bool, session: BigQuerySession) -> None:
    """Before rows of old days are written: let the views of the target read these days from the target.

    :param first_day: the first day (ISO) of the rows.
    :param deletes: stored rows may go, so that older ones of their keys can come to count again.
    :raises LoadError: BigQuery refuses; nothing was written.
    """
    today, first = pacific_date(session.clock.now()), date.fromisoformat(first_day)
    if first > today - LATE:
        return
    for view in find_views(target.table):
        if view.current is not None:
            through = None if deletes else first - DAY
            once = partial(_announce, view, target, through=through, today=today, session=session)
            doing = f"let the view {view_path(view, target)} read {target.path} from {first_day} on"
            session.retrier.call(once, doing=doing)


def _announce(view: View, target: TargetTable, *, through: date | None, today: date, session: BigQuerySession) -> None:
    from google.api_core.exceptions import NotFound

    try:
        found = session.client.get_table(view_path(view, target), retry=None, timeout=HTTP_TIMEOUT)
    except NotFound:
        return
    state = read_state(view, target, found=found)
    current = current_target(view, target)
    earlier = min(through, state.through) if through and state.through else None
    # BigQuery refuses a query about a table that is gone.
    if earlier and current and find_table(current, session=session) is None:
        earlier = None
    announced = ViewState(through=earlier, late=today)
    if found.table_type != "VIEW" or not is_ours(found) or announced == state:
        return
    if not _write_state(view, target, found=found, state=announced, session=session):
        raise StateChanged("somebody else changed it after it was read")


def _write_state(view: View, target: TargetTable, *, found: Any, state: ViewState, session: BigQuerySession) -> bool:
    """Give a view that was read its query and labels; False = somebody has changed it since, and it is left so."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    if found.view_query != view_query(view, target, through=read_state(view, target, found=found).through):
        changed = ["labels"]  # a query of somebody else's: it is for the views to be made again
    else:
        changed = ["view_query", "labels"]
        found.view_query = view_query(view, target, through=state.through)
    found.labels = {**found.labels, **state.labels}
    try:
        session.client.update_table(found, changed, retry=None, timeout=HTTP_TIMEOUT)
    except (PreconditionFailed, NotFound):
        return False
    return True


def _merge(
    view: View, target: TargetTable, *, state: ViewState, through: date, etag: str, session: BigQuerySession
) -> None:
    base, (current, _) = find_table(target, session=session), expect_current(view, target)
    if base is None:
        raise LoadError(f"The table {target.path} is gone.")
    existing = find_table(current, session=session)
    # A current table that is gone, or older than its table, says nothing about the table.
    is_whole = existing is not None and existing.created >= base.created
    after = state.through if is_whole else None
    _ensure_current(current, base=base, session=session)
    sql = current_statement(view, target, after=after, through=through)
    doing = f"bring {current.path} up to {through}"
    if after is None:
        cost = run_text_dry(current, sql=sql, doing=doing, session=session).total_bytes_processed or 0
        log.info("%s is filled once from all of %s, which processes %d bytes.", current.path, target.path, cost)
    payload = hashlib.sha256(f"{sql}{etag}".encode()).hexdigest()
    shared = replace(session, identity=_ANY_TASK)
    shared.query(current, verb="current", sql=sql, payload=payload, doing=doing)


def _ensure_current(current: TargetTable, *, base: Any, session: BigQuerySession) -> None:
    """Create the current table if need be; it has the table's key of encryption, and its rows expire as the table's."""
    key = base.encryption_configuration.kms_key_name if base.encryption_configuration else None
    made = replace(current, options=TableOptions(labels=current.options.labels, kms_key_name=key))
    try:
        ensure_table(made, session=session, load_mode=None)
    except IncompatibleTable as error:
        raise LoadError(f"{error} If it is nobody else's, drop {current.path}: the next run makes it anew.") from error
    doing = f"let {current.path} expire as its table does"
    session.retrier.call(lambda: _copy_expirations(current, base=base, session=session), doing=doing)


def _copy_expirations(current: TargetTable, *, base: Any, session: BigQuerySession) -> None:
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.bigquery import TimePartitioning

    found = session.client.get_table(current.path, retry=None, timeout=HTTP_TIMEOUT)
    lifetime = base.time_partitioning.expiration_ms if base.time_partitioning else None
    if (found.expires, found.time_partitioning.expiration_ms) == (base.expires, lifetime):
        return
    found.expires = base.expires
    found.time_partitioning = TimePartitioning(
        type_=found.time_partitioning.type_, field=found.time_partitioning.field, expiration_ms=lifetime
    )
    try:
        session.client.update_table(found, ["expires", "time_partitioning"], retry=None, timeout=HTTP_TIMEOUT)
    except PreconditionFailed as changed:
        raise StateChanged("somebody else changed it after it was read") from changed
