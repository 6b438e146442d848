"""Creates and updates the views of targets, and their current tables, on demand. Several tasks may do this at once.

A view is created, or its query replaced if it is another one; each is one request. Who comes second finds what the
first made and looks again: a creation by its 409, an update by the etag. A view that has the right query is left alone,
with whatever description and labels somebody gave it.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.bigquery.current_rows import update_current
from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
from airflow_provider_iginsights.bigquery.ensure import find_table
from airflow_provider_iginsights.bigquery.identifiers import sanitised_labels
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, StateChanged
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.bigquery.table_functions import Made, can_be_named, make_function
from airflow_provider_iginsights.bigquery.view_sources import find_sources
from airflow_provider_iginsights.bigquery.view_state import (
    VIEW_LABEL,
    ViewState,
    describe_foreign,
    is_ours,
    read_state,
    view_description,
    view_path,
    view_query,
)
from airflow_provider_iginsights.catalog.views import find_views
from airflow_provider_iginsights.errors import IncompatibleTable, LoadError
from airflow_provider_iginsights.pacific import pacific_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.retry import RetryBudget
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View

log: logging.Logger = logging.getLogger(__name__)

Done = Literal[Made, "impossible", "unnamed"]

_SAID: dict[Done, str] = {
    "created": "created",
    "updated": "updated",
    "unchanged": "left as it is",
    "impossible": "not made, since a table that it reads does not exist or lacks columns of this release",
    "unnamed": "not made, since the name of a table function holds letters from A to Z, digits and underscores only: "
    "give the table such an id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewResult:
    """What was done about one view; ``path`` is ``project.dataset.view``.

    ``missing``: paths of the tables for which it could not be made.
    """

    path: str
    done: Done
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the result as a sentence."""
        named = f": {', '.join(self.missing)}" if self.missing else ""
        return f"{self.path}: {_SAID[self.done]}{named}."


def create_views_of_existing(
    client: Client,
    *,
    targets: Iterable[TargetTable],
    retry_budget: RetryBudget | None = None,
    job_project: str | None = None,
) -> Iterator[ViewResult]:
    """Create or update, by hand, the views of those targets that exist. Raises as :func:`create_views` does."""
    session = open_session(
        client,
        identity=manual_identity("create views"),
        options=JobOptions(retry_budget=retry_budget, job_project=job_project),
    )
    targets, refused = tuple(targets), list[LoadError]()
    for target in targets:
        if find_table(target, session=session) is not None:
            if any(view.current for view in find_views(target.table)):
                session.set_clock(target)
            yield from _create_all(target, session=session, known=targets, refused=refused)
            continue
        for view in find_views(target.table):
            yield ViewResult(path=view_path(view, target), done="impossible", missing=(target.path,))
    _raise(refused)


def create_views(targets: Sequence[TargetTable], *, session: BigQuerySession) -> Iterator[ViewResult]:
    """Create or update the views of targets that exist; yield what was done about each.

    What is refused costs that view alone. Then, once all others are made, IncompatibleTable is raised if something that
    is no view has the name, DatasetUnavailable or LoadError.

    :param targets: a view of several tables goes by their ids; other tables have their default ids.
    """
    refused: list[LoadError] = []
    for target in targets:
        yield from _create_all(target, session=session, known=targets, refused=refused)
    _raise(refused)


def _create_all(
    target: TargetTable, *, session: BigQuerySession, known: Sequence[TargetTable], refused: list[LoadError]
) -> Iterator[ViewResult]:
    views = find_views(target.table)
    sources = find_sources(views, target, known=known, session=session)
    for view in views:
        if missing := sources.list_missing(view):
            result = ViewResult(path=view_path(view, target), done="impossible", missing=missing)
        elif not can_be_named(view, target):
            result = ViewResult(path=view_path(view, target), done="unnamed")
        else:
            try:
                done = _create(sources.locate(view), target, session=session)
            except LoadError as error:
                if session.retrier.is_stopped:
                    raise
                refused.append(error)
                continue
            result = ViewResult(path=view_path(view, target), done=done)
        log.info("View %s", result)
        yield result


def _raise(refused: Sequence[LoadError]) -> None:
    """Raise what was refused, if anything was, as one error."""
    if not refused:
        return
    if len(refused) == 1:
        raise refused[0]
    kind = type(refused[0]) if len({type(error) for error in refused}) == 1 else LoadError
    raise kind(" ".join(error.message for error in refused)) from refused[0]


def _create(view: View, target: TargetTable, *, session: BigQuerySession) -> Made:
    done = (make_function if view.parameters else _make)(view, target, session=session)
    if view.current is not None and update_current(view, target, session=session) and done == "unchanged":
        return "updated"
    return done


def _make(view: View, target: TargetTable, *, session: BigQuerySession) -> Made:
    once = functools.partial(_make_once, view, target, session=session)
    return session.retrier.call(once, doing=f"create or update the view {view_path(view, target)}")


def _make_once(view: View, target: TargetTable, *, session: BigQuerySession) -> Made:
    """Read the view and do what is needed. Raises StateChanged if somebody else was faster."""
    from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed
    from google.cloud.bigquery import Table

    client, path = session.client, view_path(view, target)
    try:
        found = client.get_table(path, retry=None, timeout=HTTP_TIMEOUT)
    except NotFound:
        wanted = Table(path)
        _describe(wanted, view, target, session=session)
        try:
            client.create_table(wanted, retry=None, timeout=HTTP_TIMEOUT)
        except Conflict as conflict:
            raise StateChanged("somebody else created it after it was looked for") from conflict
        return "created"
    _check_kind(found, path=path)
    # An update would change the view's etag and last-modified time for nothing, and race with other tasks.
    if found.view_query == view_query(view, target, through=read_state(view, target, found=found).through):
        return "unchanged"
    _describe(found, view, target, session=session)
    try:
        # The request carries the etag that was read: BigQuery refuses it with 412 if somebody changed the view since.
        client.update_table(found, ["view_query", "description", "labels"], retry=None, timeout=HTTP_TIMEOUT)
    except (PreconditionFailed, NotFound) as changed:
        raise StateChanged("somebody else changed it after it was read") from changed
    return "updated"


def _describe(table: Any, view: View, target: TargetTable, *, session: BigQuerySession) -> None:
    table.view_query = view_query(view, target)
    table.description = view_description(view, target)
    ours = {**session.labels, VIEW_LABEL: view.name, "iginsights_table": view.table.name}
    if view.current is not None:
        # Whoever writes rows of old days, and has not seen this view yet, is done before its current table is filled.
        ours |= ViewState(late=pacific_date(session.clock.now())).labels
    table.labels = {**table.labels, **sanitised_labels(ours)}


def _check_kind(found: Any, *, path: str) -> None:
    if found.table_type != "VIEW":
        raise IncompatibleTable(
            f"{path} is a {found.table_type.lower().replace('_', ' ')}, and the view of this name cannot be made. "
            "It was left as it is. Rename it, or give the table that the view shows another id."
        )
    if not is_ours(found):
        raise IncompatibleTable(describe_foreign(path, "view"))
