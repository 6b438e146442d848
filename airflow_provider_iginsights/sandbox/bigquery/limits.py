"""What stands before a job: the queue of mutating statements per table, and the daily count of load jobs."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.switches import Switches
from airflow_provider_iginsights.sandbox.bigquery.tables import TableRef
from airflow_provider_iginsights.sandbox.clock import Clock

__all__ = ["DmlQueue", "LoadQuota"]


class DmlQueue:
    """Per table, so many mutating statements run, so many wait in the order they came, and the next is refused."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._changed = threading.Condition()
        self._running: Counter[TableRef] = Counter()
        self._waiting: defaultdict[TableRef, list[object]] = defaultdict(list)

    def admit(self, ref: TableRef) -> object:
        """Return a place in the table's queue. Raises BigQueryError (resourcesExceeded) when it is full."""
        runs, waits = self._switches.dml_queue
        with self._changed:
            # "Quotas and limits", DML: per table 2 mutating statements run and 20 wait; the next fails.
            if self._running[ref] + len(self._waiting[ref]) >= runs + waits:
                raise BigQueryError(
                    "resourcesExceeded",
                    "Resources exceeded during query execution: Too many DML statements outstanding against table "
                    f"{ref}, limit is {waits}.",
                )
            place = object()
            self._waiting[ref].append(place)
            return place

    @contextmanager
    def turn(self, ref: TableRef, place: object, cancelled: threading.Event) -> Iterator[None]:
        """Wait for the place's turn and hold it; a job that is cancelled meanwhile gives its place up."""
        waiting, runs = self._waiting[ref], self._switches.dml_queue[0]
        with self._changed:
            self._changed.wait_for(lambda: cancelled.is_set() or (waiting[0] is place and self._running[ref] < runs))
            waiting.remove(place)
            self._running[ref] += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._running[ref] -= 1
                self._changed.notify_all()

    def wake(self) -> None:
        """Let the waiting look whether they were cancelled."""
        with self._changed:
            self._changed.notify_all()


class LoadQuota:
    """Load jobs per table name and UTC day; dropping the table does not start the count anew."""

    def __init__(self, switches: Switches, clock: Clock) -> None:
        self._switches = switches
        self._clock = clock
        self._lock = threading.Lock()
        self._used: Counter[tuple[TableRef, dt.date]] = Counter()

    def use(self, ref: TableRef) -> None:
        """Count one job. Raises BigQueryError (quotaExceeded) when the day's are used up."""
        today = self._clock.now().date()
        with self._lock:
            # By name: a table that is dropped and made anew goes on with the count ("Quotas and limits", load jobs).
            self._used[ref, today] += 1
            if self._used[ref, today] > self._switches.load_jobs_per_table_per_day:
                raise BigQueryError(
                    "quotaExceeded",
                    f"Quota exceeded: Your table {ref} exceeded quota for imports or query appends per table (too many "
                    "load jobs today).",
                    location="load_job_per_table.long",
                )
