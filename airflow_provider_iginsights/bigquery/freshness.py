"""Asks what is missing in the tables of a dataset, and makes the view that shows it."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
from airflow_provider_iginsights.bigquery.identifiers import quoted, sanitised_labels
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, StateChanged
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.bigquery.view_state import VIEW_LABEL, describe_foreign, is_ours
from airflow_provider_iginsights.bigquery.views import ViewResult
from airflow_provider_iginsights.catalog.freshness import CHECKED_TABLES, DAYS, FRESHNESS_ID, freshness_query
from airflow_provider_iginsights.errors import IncompatibleTable

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.table_functions import Made
    from airflow_provider_iginsights.bigquery.target import TargetTable

DESCRIPTION = (
    "Per account and table the last day, how many of the last 28 closed days are missing and which, and the metrics "
    "that stopped answering. NULL where nothing is missing. For example:\n\nSELECT * FROM {view} WHERE missing_days > 0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFreshness:
    """What a table has of an account: the last day, the ``missing`` days, the metrics that ``stopped`` after a day."""

    account_id: str
    table_id: str
    last_day: date
    missing: tuple[date, ...] = ()
    stopped: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as a sentence."""
        said = [f"{len(self.missing)} days are missing: {', '.join(map(str, self.missing))}"] if self.missing else []
        said += [f"no longer answered: {', '.join(self.stopped)}"] if self.stopped else []
        return f"account {self.account_id}, {self.table_id}: {'; '.join(said) or f'complete up to {self.last_day}'}."

    def describe(self) -> dict[str, Any]:
        """Return JSON-able values."""
        days = {"last_day": self.last_day.isoformat(), "missing": [day.isoformat() for day in self.missing]}
        return asdict(self) | days | {"stopped": list(self.stopped)}


def read_freshness(
    client: Client, *, targets: Sequence[TargetTable], days: int = DAYS, job_project: str | None = None
) -> list[AccountFreshness]:
    """Return what the tables have of each account, by account; nothing where none of the tables is looked at.

    :param targets: tables of one dataset, which exist, with its location.
    :param days: so many closed Pacific days are looked at.
    :raises LoadError: BigQuery refuses.
    """
    checked = _choose(targets)
    if not checked:
        return []
    session = open_session(
        client, identity=manual_identity("check freshness"), options=JobOptions(job_project=job_project)
    )
    # Asked anew each time: under the same job id, the answer would be an old one.
    rows = session.read(
        checked[0],
        sql=_write_query(checked, days=days),
        payload=secrets.token_hex(16),
        doing=f"look for missing days in {checked[0].dataset_path}",
    )
    return sorted(map(_read_row, rows), key=lambda each: (each.account_id, each.table_id))


def make_freshness_view(
    client: Client, *, targets: Sequence[TargetTable], job_project: str | None = None
) -> ViewResult:
    """Create or update the view over these tables, which exist; return what was done.

    :raises IncompatibleTable: something that is no view, or a view of somebody else's, has its name.
    """
    checked, path = _choose(targets), targets[0].beside(FRESHNESS_ID)
    if not checked:
        return ViewResult(path=path, done="impossible")
    session = open_session(
        client, identity=manual_identity("create views"), options=JobOptions(job_project=job_project)
    )
    once = functools.partial(_make_once, path, _write_query(checked, days=DAYS), session=session)
    return ViewResult(path=path, done=session.retrier.call(once, doing=f"create or update the view {path}"))


def _make_once(path: str, query: str, *, session: BigQuerySession) -> Made:
    from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed
    from google.cloud.bigquery import Table

    client = session.client
    try:
        found = client.get_table(path, retry=None, timeout=HTTP_TIMEOUT)
    except NotFound:
        wanted = Table(path)
        wanted.view_query, wanted.description = query, DESCRIPTION.format(view=quoted(path))
        wanted.labels = sanitised_labels({**session.labels, VIEW_LABEL: "freshness"})
        try:
            client.create_table(wanted, retry=None, timeout=HTTP_TIMEOUT)
        except Conflict as conflict:
            raise StateChanged("somebody else created it after it was looked for") from conflict
        return "created"
    if found.table_type != "VIEW":
        raise IncompatibleTable(f"{path} is no view, and the view of this name cannot be made. It was left as it is.")
    if not is_ours(found):
        raise IncompatibleTable(describe_foreign(path, "view"))
    if found.view_query == query:
        return "unchanged"
    found.view_query = query
    try:
        client.update_table(found, ["view_query"], retry=None, timeout=HTTP_TIMEOUT)
    except (PreconditionFailed, NotFound) as changed:
        raise StateChanged("somebody else changed it after it was read") from changed
    return "updated"


def _choose(targets: Sequence[TargetTable]) -> list[TargetTable]:
    return [target for target in targets if target.table.name in CHECKED_TABLES]


def _write_query(targets: Sequence[TargetTable], *, days: int) -> str:
    return freshness_query([(each.table.name, each.table_id, quoted(each.path)) for each in targets], days=days)


def _read_row(row: Mapping[str, Any]) -> AccountFreshness:
    missing, stopped = row["missing"], row["stopped_metrics"]
    return AccountFreshness(
        account_id=row["account_id"],
        table_id=row["table_id"],
        last_day=row["last_day"],
        missing=tuple(date.fromisoformat(day) for day in missing.split(", ")) if missing else (),
        stopped=tuple(stopped.split(", ")) if stopped else (),
    )
