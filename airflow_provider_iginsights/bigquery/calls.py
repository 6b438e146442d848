"""Patience with BigQuery: every request goes through here, is repeated where that helps, and fails in plain words.

Only what may be sent twice is handed to :class:`Calls`: reads, creations and deletions that tolerate having already
happened, and jobs under ids made by us (:mod:`.jobs`). google's own retries are switched off, so that one clock bounds
the waiting.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.errors import LoadError
from airflow_provider_iginsights.waiting import is_testing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState, Retrying

T = TypeVar("T")

HTTP_TIMEOUT = 60.0
UPLOAD_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """How long to go on, in seconds.

    ``busy`` bounds the pauses for a full DML queue or a rate limit, ``lost`` those for answers that do not come; the
    time that jobs take is not counted, BigQuery bounds it.
    Waits grow from ``first_wait`` to ``longest_wait`` with full jitter; running jobs are looked at every ``first_poll``
    to ``longest_poll``.
    """

    busy: float = 900.0
    lost: float = 120.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    first_poll: float = 0.1
    longest_poll: float = 3.0


PATIENCE_IN_TESTS = RetryBudget(
    busy=0.2, lost=0.2, first_wait=0.01, longest_wait=0.05, first_poll=0.005, longest_poll=0.05
)


def get_default_patience() -> RetryBudget:
    """Return how long to go on where nobody said otherwise: short in test mode."""
    return PATIENCE_IN_TESTS if is_testing() else RetryBudget()


class Calls:
    """Sends requests with patience, until :meth:`stop` is called from a signal handler or another thread."""

    def __init__(self, patience: RetryBudget) -> None:
        self.patience = patience
        self._stopped = threading.Event()

    def __call__(self, action: Callable[[], T], *, doing: str, role: str = error_mapping.DATA_ROLE) -> T:
        """Return what ``action`` returns; raise LoadError (or a leaf of it) in words when BigQuery keeps refusing."""
        try:
            return self._retrying()(action)
        except Exception as error:
            if isinstance(error, LoadError) or not error_mapping.speaks_of_bigquery(error):
                raise
            raise error_mapping.load_error(error, doing=doing, role=role) from error

    def stop(self) -> None:
        """End all waiting; what is under way fails with LoadError."""
        self._stopped.set()

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond :meth:`stop`."""
        if self._stopped.wait(seconds):
            raise LoadError("The load was stopped before it had ended. Run the task again: nothing is written twice.")

    def _retrying(self) -> Retrying:
        import tenacity

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: error_mapping.is_busy(error) or error_mapping.is_lost(error)
            ),
            wait=tenacity.wait_random_exponential(
                multiplier=self.patience.first_wait, max=self.patience.longest_wait, min=0
            ),
            stop=self._is_enough,
            sleep=self.sleep,
            reraise=True,
        )

    def _is_enough(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        limit = self.patience.busy if error and error_mapping.is_busy(error) else self.patience.lost
        return state.idle_for >= limit
