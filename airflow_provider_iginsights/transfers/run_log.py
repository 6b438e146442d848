"""Writes what became of each account: one row per account and task run, however often the task is tried.

The row is written once the data is, or could not be. A later try of the same task run finds the row and adds to it. A
task that is killed before leaves no row of that try: nobody is there to write it, and Airflow shows that the task died.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_iginsights._compat import find_first_reschedule
from airflow_provider_iginsights.bigquery.costs import add_costs
from airflow_provider_iginsights.bigquery.fan_in import StagingLoader
from airflow_provider_iginsights.bigquery.lookup import Where
from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT, RUNS, TASK_COLUMNS
from airflow_provider_iginsights.errors import InsightsError, Throttled
from airflow_provider_iginsights.graph.redact import escape, redact
from airflow_provider_iginsights.pacific import pacific_date
from airflow_provider_iginsights.task.arguments import parse_boolean
from airflow_provider_iginsights.task.failures import describe_open
from airflow_provider_iginsights.task.identity import identify_task
from airflow_provider_iginsights.task.run_dates import read_due_time
from airflow_provider_iginsights.transfers.left_out_rows import describe_left_out, limit_days

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.columns import Table
    from airflow_provider_iginsights.task.arguments import OnAccountError
    from airflow_provider_iginsights.task.loaded import Loaded
    from airflow_provider_iginsights.task.source import Source
    from airflow_provider_iginsights.transfers.run import TransferRun

log: logging.Logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 1000
SUMMED = (
    "rows_read",
    "left_out",
    "no_data",
    "graph_calls",
    "seconds",
    "task_rows_changed",
    "task_bytes_billed",
    "tries",
)
"""Columns in which the tries of a task run add up."""
Status = Literal["done", "not_whole", "throttled", "quarantined", "skipped", "failed", "not_loaded"]


class LoggedTransfer(Protocol):
    """A transfer, as far as the rows about its runs must know it."""

    on_account_error: OnAccountError
    deferrable: bool

    @property
    def tables(self) -> Mapping[Table, str]:
        """Return the tables that it writes, each with its table id; the numbers first."""

    def read_optional(self, argument: str) -> str | None:
        """Return an argument that may be left out."""

    def make_target(self, table: Table, *, project: str, table_id: str) -> TargetTable:
        """Return a table of the dataset."""

    def list_days(self, source: Source) -> Mapping[str, Sequence[date]]:
        """Return the Pacific days of the rows."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How a try ended for one account, and the error, where it is not done."""

    status: Status
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """What one try writes of its accounts: into ``target``, nothing where it is None.

    ``left_out_target``: where examples of what was left out go; None = nowhere. ``common``: the columns that all rows
    share. ``is_repeated``: an earlier try may have written rows. ``wanted``: names of the tables whose rows count.
    ``skips``: failed accounts are let pass as long as one is done.
    """

    run: TransferRun
    target: TargetTable | None
    left_out_target: TargetTable | None
    account_ids: Sequence[str]
    common: Mapping[str, Any]
    is_repeated: bool
    wanted: frozenset[str]
    skips: bool
    started_at: datetime

    @classmethod
    def open(
        cls, operator: LoggedTransfer, run: TransferRun, account_ids: Sequence[str], *, has_waited: bool
    ) -> RunLog:
        """Return the log of a try that is about to read these accounts.

        :param has_waited: the task goes on after a wait.
        """
        context, find_target = run.context, partial(_find_target, operator, project=run.dataset.client.project)
        # The date of a first reschedule is asked of Airflow's API server, so only where a task can be rescheduled.
        reschedules = not parse_boolean(operator.deferrable, argument="deferrable")
        is_later_try = has_waited or (context["ti"].try_number or 1) > 1
        return cls(
            run=run,
            target=find_target(RUNS),
            left_out_target=find_target(LEFT_OUT),
            account_ids=account_ids,
            common=_describe_run(operator, run),
            is_repeated=is_later_try or (reschedules and find_first_reschedule(context) is not None),
            wanted=frozenset(table.name for table in operator.tables),
            skips=operator.on_account_error == "skip",
            started_at=run.dataset.clock.now(),
        )

    @contextmanager
    def recording_failure(self) -> Iterator[None]:
        """Write, where the block fails, that no account was loaded, and raise the error."""
        try:
            yield
        except Exception as error:
            if not self.run.dataset.loader.session.retrier.is_stopped:
                status = AccountStatus("not_loaded", type(error).__name__, str(error))
                self._write(dict.fromkeys(self.account_ids, status), billed=None, changed=None)
            raise

    def write(self, loaded: Loaded) -> Loaded:
        """Write how the try ended for each account; return what was loaded, with what this has cost."""
        statuses = describe_accounts(loaded, skips=self.skips)
        mine = {account_id: statuses[account_id] for account_id in self.account_ids if account_id in statuses}
        billed = sum(counts["bytes_billed"] for kinds in loaded.costs.values() for counts in kinds.values())
        self._write(mine, billed=billed, changed=sum(result.affected for result in loaded.loads))
        return replace(loaded, costs=add_costs(loaded.costs, self.run.dataset.loader.session.costs.take()))

    def _write(self, statuses: Mapping[str, AccountStatus], *, billed: int | None, changed: int | None) -> None:
        loader = self.run.dataset.loader
        stages = isinstance(loader, StagingLoader)
        task = {"task_rows_changed": None if stages else changed, "task_bytes_billed": None if stages else billed}
        if self.target and statuses:
            with noting_refusal(loader):
                earlier = {} if stages else self._prepare(self.target)
                rows = (
                    add_tries(earlier.get(account_id), self._describe(account_id, status) | task)
                    for account_id, status in statuses.items()
                )
                write_rows(loader, self.target, rows)
        if self.left_out_target and (examples := list(self._list_left_out())):
            with noting_refusal(loader):
                if not stages:
                    loader.ensure([self.left_out_target])
                write_rows(loader, self.left_out_target, examples)

    def _list_left_out(self) -> Iterator[dict[str, Any]]:
        log, now = self.run.source.left_out_log, self.run.dataset.clock.now()
        return describe_left_out(log, task={name: self.common[name] for name in TASK_COLUMNS}, now=now)

    def _prepare(self, target: TargetTable) -> dict[str, Mapping[str, Any]]:
        """Make sure of the table, and return the rows of earlier tries by account."""
        dataset = self.run.dataset
        dataset.loader.ensure([target])
        if not self.is_repeated:
            return {}
        # An earlier try that was killed may be writing its rows still.
        dataset.loader.end_earlier_tries([target])
        names = ("dag_id", "task_id", "run_id")
        among = {"account_id": self.account_ids, **{name: [self.common[name]] for name in names}}
        day = self.common["run_date"]
        found = dataset.lookup.find_rows(target, where=Where(start=day, end=day, among=among))
        return {row["account_id"]: row for row in found if row["map_index"] == self.common["map_index"]}

    def _describe(self, account_id: str, status: AccountStatus) -> dict[str, Any]:
        client, now = self.run.source.client, self.run.dataset.clock.now()
        count = self.run.source.left_out_log.accounts.find(account_id)
        no_data = count.left_out["NoData"]
        return {
            **self.common,
            "account_id": account_id,
            "status": status.status,
            "reason": status.reason,
            "message": status.message and escape(redact(status.message))[:LONGEST_MESSAGE],
            "rows_read": sum(rows for name, rows in count.rows.items() if name in self.wanted),
            "left_out": count.left_out.total() - no_data,
            "no_data": no_data,
            "graph_calls": client.count_calls_of(account_id),
            "seconds": round(count.seconds, 3),
            "tries": 1,
            "started_at": self.started_at,
            "finished_at": now,
            "fetched_at": now,
        }


@contextmanager
def noting_refusal(loader: BigQueryLoader | StagingLoader) -> Iterator[None]:
    """Note it, where a table about runs cannot be written in the block."""
    # What is known of a run is worth less than the run: its data is written, or its own error tells more.
    try:
        yield
    except Exception as error:
        said = escape(redact(str(error)))
        loader.session.note(f"What became of the accounts is not written, their data is not concerned: {said}")


def write_rows(loader: BigQueryLoader | StagingLoader, target: TargetTable, rows: Iterable[Mapping[str, Any]]) -> None:
    """Load these rows, and write them to their table or leave them staged, as the loader does."""
    with loader.row_file(target) as row_file:
        for row in rows:
            row_file.write(row)
        loader.commit([row_file])


def _find_target(operator: LoggedTransfer, table: Table, *, project: str) -> TargetTable | None:
    """Return a table that is wanted; what was left out goes after some time, unless the user's options say when."""
    table_id = operator.read_optional(f"{table.name}_table_id")
    if not table_id:
        return None
    return limit_days(operator.make_target(table, project=project, table_id=table_id))


def describe_accounts(loaded: Loaded, *, skips: bool) -> dict[str, AccountStatus]:
    """Return how a try ended for each account, those of earlier tries included.

    :param skips: failed accounts are let pass as long as one is done.
    """
    results = loaded.results
    refused: Status = "skipped" if skips and results.done else "failed"
    found = {account_id: AccountStatus("done") for account_id in results.done}
    for account_id, questions in results.unanswered.items():
        found[account_id] = _describe_error("not_whole", describe_open(account_id, questions))
    for account_id, error in results.failed.items():
        found[account_id] = _describe_error("throttled" if isinstance(error, Throttled) else refused, error)
    for account_id, history in loaded.quarantined.items():
        found[account_id] = AccountStatus("quarantined", "AccountUnavailable", history.reason)
    return found


def add_tries(earlier: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a task run with what earlier tries came to."""
    if earlier is None:
        return dict(row)
    sums = {name: _add(earlier[name], row[name]) for name in SUMMED}
    return {**row, **sums, "started_at": earlier["started_at"]}


def _add(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return round(float(one) + other, 3) if isinstance(other, float) else one + other


def _describe_error(status: Status, error: InsightsError) -> AccountStatus:
    name = next(each.__name__ for each in type(error).__mro__ if each.__module__ == InsightsError.__module__)
    return AccountStatus(status, name, str(error))


def _describe_run(operator: LoggedTransfer, run: TransferRun) -> dict[str, Any]:
    identity, window = identify_task(run.context), run.source.window
    days = operator.list_days(run.source)["days"]
    return {
        "dag_id": identity.dag_id,
        "task_id": identity.task_id,
        "map_index": identity.map_index,
        "run_id": identity.run_id,
        "run_date": pacific_date(read_due_time(run.context) or run.dataset.clock.now()),
        "transfer": next(iter(operator.tables)).name,
        "since": window.since,
        "until": window.until,
        "first_day": min(days, default=None),
        "last_day": max(days, default=None),
    }
