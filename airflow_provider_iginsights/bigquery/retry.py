"""The one retry loop of this room: every request to BigQuery is sent in it, and fails in plain words.

Only what may be sent twice is sent here: reads, creations and deletions that tolerate having already happened, and jobs
under ids made by us (:mod:`.jobs`). google's own retries are switched off, so that one loop bounds the waiting.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.bigquery.failures import DATA_ROLE
from airflow_provider_iginsights.errors import LoadError
from airflow_provider_iginsights.waiting import is_testing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tenacity import AttemptManager, RetryCallState

T = TypeVar("T")

HTTP_TIMEOUT = 60.0
# Who cancels has no time: Airflow kills a task 5 seconds after it has asked it to end.
CANCEL_TIMEOUT = 3.0
# An upload is answered only once BigQuery has stored the bytes.
UPLOAD_TIMEOUT = 600.0
MAX_STATE_CHANGES = 100
"""So often in a row what was just read may have changed before it is written, until that is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """How long to go on, in seconds.

    ``busy`` bounds the pauses for a full DML queue or a rate limit, ``lost`` those for answers that do not come; the
    time that jobs take is not counted, BigQuery bounds it.
    Waits grow from ``first_wait`` to ``longest_wait`` with full jitter; the state of a running job is read every
    ``first_poll`` to ``longest_poll``.
    """

    # BigQuery runs 2 statements that change a table and lets 20 wait ("Quotas and limits: DML"); those of other tasks
    # take minutes. A request that is not answered within 2 minutes is not worth the slot of a worker.
    busy: float = 900.0
    lost: float = 120.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    first_poll: float = 0.1
    longest_poll: float = 3.0


RETRY_BUDGET_IN_TESTS = RetryBudget(
    busy=0.2, lost=0.2, first_wait=0.01, longest_wait=0.05, first_poll=0.005, longest_poll=0.05
)


def get_default_retry_budget() -> RetryBudget:
    """Return how long to go on where nobody said otherwise: short in test mode."""
    return RETRY_BUDGET_IN_TESTS if is_testing() else RetryBudget()


class StateChanged(Exception):
    """Somebody else was faster between our reading and our writing: begin again at once, with a reading.

    The text is a clause such as "somebody else changed it after it was read". Stays inside this room.
    """


class BigQueryRetrier:
    """Retries requests until :meth:`stop` is called, by a signal handler or another thread."""

    def __init__(self, budget: RetryBudget) -> None:
        self.budget = budget
        self._stopped = threading.Event()

    @property
    def is_stopped(self) -> bool:
        """Return whether :meth:`stop` was called."""
        return self._stopped.is_set()

    def call(self, action: Callable[[], T], *, doing: str, role: str = DATA_ROLE) -> T:
        """Return what ``action`` returns. Raises as :meth:`attempts` does."""
        for attempt in self.attempts(doing=doing, role=role):
            with attempt:
                result = action()
        return result

    def attempts(self, *, doing: str, role: str = DATA_ROLE) -> Iterator[AttemptManager]:
        """Yield context managers, one for each try; what is done in the last one succeeded.

        :param doing: completes "BigQuery refused to ..."
        :param role: the role that ``doing`` needs, named where access is denied.
        :raises LoadError: (or a leaf of it) in words when BigQuery keeps refusing.
        """
        import tenacity

        # Exponential with jitter, as BigQuery's documentation asks for ("Troubleshoot quota errors").
        back_off = tenacity.wait_random_exponential(multiplier=self.budget.first_wait, max=self.budget.longest_wait)

        def find_wait(state: RetryCallState) -> float:
            return 0.0 if isinstance(_error_of(state), StateChanged) else back_off(state)

        try:
            yield from tenacity.Retrying(
                retry=tenacity.retry_if_exception(_is_worth_retrying),
                wait=find_wait,
                stop=self._is_used_up,
                sleep=self.sleep,
                reraise=True,
            )
        except Exception as error:
            if isinstance(error, StateChanged):
                raise LoadError(
                    f"The attempt to {doing} was given up: {error}, {MAX_STATE_CHANGES} times in a row. Run "
                    "the task again."
                ) from error
            if isinstance(error, LoadError) or not error_mapping.speaks_of_bigquery(error):
                raise
            cause = None if error_mapping.has_bad_address(error) else error
            raise error_mapping.load_error(error, doing=doing, role=role) from cause

    def stop(self) -> None:
        """End all waiting; what is under way fails with LoadError."""
        self._stopped.set()

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond :meth:`stop`."""
        if self._stopped.wait(seconds):
            raise LoadError("The load was stopped before it had ended. Run the task again: nothing is written twice.")

    def _is_used_up(self, state: RetryCallState) -> bool:
        error = _error_of(state)
        if isinstance(error, StateChanged):
            return state.attempt_number >= MAX_STATE_CHANGES
        limit = self.budget.busy if error and error_mapping.is_busy(error) else self.budget.lost
        return state.idle_for >= limit


def _error_of(state: RetryCallState) -> Any:
    return state.outcome.exception() if state.outcome else None


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, StateChanged) or error_mapping.is_busy(error) or error_mapping.is_lost(error)
