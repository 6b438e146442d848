"""The one clock of a run: Meta's where it is within five minutes of BigQuery's, else BigQuery's.

Everything that a row or a statement says about time comes from it: ``fetched_at``, snapshot dates, which days are
closed, which story numbers are final, when staging expires. A worker's own clock can be hours off, and rows from the
future would freeze what is stored: only a fetch that is not older overwrites a row. So BigQuery is asked once, before
anything is read; the first ``Date`` of Meta that agrees with it sets the clock once more, before a row is dated; from
there on it runs by the worker's monotonic time, which no correction of its clock moves.

Not taken from it: how long to wait for a rate limit, or until the next look at a story. Airflow's triggerer and
scheduler compare such an instant with their own clock, so it is a number of seconds from now on the worker's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

log: logging.Logger = logging.getLogger(__name__)

AGREES = timedelta(minutes=5)
"""Meta's clock is taken where it differs from BigQuery's by this at most."""
EXACT = timedelta(seconds=2)
"""A ``Date`` has whole seconds and is read some time after it was written: so near, it has nothing to add."""
SKEW = timedelta(seconds=60)
"""From here on a worker's clock is a note: Airflow itself, and whatever else runs there, is wrong by as much."""


class RunClock:
    """Tells the time of a run; may be asked and set from several threads. Until it is set it is the worker's clock.

    :param note: takes what somebody should know about the clocks, each once.
    :param monotonic: seconds that no correction of the worker's clock moves.
    """

    def __init__(
        self, *, note: Callable[[str], None] = log.warning, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._note = note
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._set: tuple[datetime, float] | None = None
        self._is_set_by_bigquery = self._is_set_by_meta = self._has_disagreed = False

    def now(self) -> datetime:
        """Return the current instant (UTC)."""
        known = self._set
        return datetime.now(UTC) if known is None else known[0] + timedelta(seconds=self._monotonic() - known[1])

    def set_by_bigquery(self, instant: datetime) -> None:
        """Take BigQuery's time when it arrives: the clock is never ahead of BigQuery's."""
        with self._lock:
            self._set_to(instant)
            self._is_set_by_bigquery = True
        self._compare_worker(instant)

    def set_by_meta(self, date: datetime) -> None:
        """Take Meta's ``Date``: the first that agrees with BigQuery's time; the first at all where nobody asked that.

        What comes later is not looked at.
        """
        with self._lock:
            if self._is_set_by_meta:
                return
            difference = abs(date - self.now())
            if self._is_set_by_bigquery and difference > AGREES:
                self._disagree(date)
                return
            self._is_set_by_meta = True
            if difference > EXACT:
                self._set_to(date)
        if not self._is_set_by_bigquery:
            self._compare_worker(date)

    def as_worker_time(self, instant: datetime) -> datetime:
        """Return what the worker's clock shows at an instant, for those who compare with a clock of their own.

        A worker whose clock is right within 60 seconds shows the instant itself.
        """
        ahead = datetime.now(UTC) - self.now()
        return instant + ahead if abs(ahead) > SKEW else instant

    def _set_to(self, instant: datetime) -> None:
        self._set = instant.astimezone(UTC), self._monotonic()

    def _disagree(self, date: datetime) -> None:
        if not self._has_disagreed:
            self._has_disagreed = True
            self._note(
                f"Meta's clock says {date.isoformat()} and BigQuery's {self.now().isoformat(timespec='seconds')}: they "
                "differ by more than 5 minutes, so rows are dated by BigQuery's."
            )

    def _compare_worker(self, instant: datetime) -> None:
        ahead = datetime.now(UTC) - instant
        if abs(ahead) > SKEW:
            seconds, where = abs(round(ahead.total_seconds())), "ahead" if ahead > SKEW else "behind"
            self._note(
                f"The worker's clock is {seconds} seconds {where}. Rows are dated by the clocks of Meta and BigQuery; "
                "set the worker's clock right (NTP), since Airflow uses it for schedules, retries and waits."
            )
