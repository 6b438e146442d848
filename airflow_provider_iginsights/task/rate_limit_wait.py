"""What a task does about Meta's rate limit: it frees its worker slot and goes on after the minutes Meta named."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from airflow_provider_iginsights.errors import InsightsError, Throttled
from airflow_provider_iginsights.task.arguments import parse_boolean
from airflow_provider_iginsights.task.failures import combine, fail_without_retry
from airflow_provider_iginsights.task.on_kill import StoppableOperator

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context

THROTTLE_TIMEOUT = timedelta(hours=6)
JITTER = 60.0  # seconds; tasks that were blocked together should not come back together
# Meta counts calls over an hour (Graph API, "Rate limits"), so an hour later some are free again.
DEFAULT_WAIT = 3600.0


class WaitingOperator(Protocol):
    """An operator that can wait: deferred, or rescheduled where not ``deferrable``; at most ``throttle_timeout``."""

    throttle_timeout: timedelta
    deferrable: bool

    @property
    def log(self) -> Any:
        """Its logger."""

    def defer(self, *, trigger: Any, method_name: str, kwargs: dict[str, Any]) -> NoReturn:
        """Leave the rest to the triggerer."""


class ResumableOperator(StoppableOperator):
    """An operator whose tries all do the same: what is missing yet."""

    @abstractmethod
    def run_try(self, context: Context, progress: Mapping[str, Any] | None) -> Any:
        """Do what is missing, and return the task's result; or wait, or fail.

        :param progress: what a deferral carried; None at the beginning, and after a retry or a reschedule.
        :raises InsightsError: see docs/reference/errors.md; configuration and fatal ones are not retried.
        """

    def execute(self, context: Context) -> Any:
        """Run the task."""
        return self.run_try(context, None)

    def resume(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002 - what the trigger says; Airflow passes it
        progress: Mapping[str, Any] | None = None,
    ) -> Any:
        """Go on after a deferral."""
        return self.run_try(context, progress)


@dataclass(frozen=True, slots=True)
class RateLimitWait:
    """Come back at ``until``; the task has been waiting since ``since`` (UTC)."""

    until: datetime
    since: datetime


def find_throttled(failed: Mapping[str, InsightsError]) -> dict[str, Throttled]:
    """Return the accounts that only have to wait."""
    return {account_id: error for account_id, error in failed.items() if isinstance(error, Throttled)}


def plan_wait(
    throttled: Mapping[str, Throttled], *, waiting_since: datetime | None, timeout: timedelta, of: int
) -> RateLimitWait:
    """Return when to come back: after the longest of the waits that still fit into ``timeout``, plus jitter.

    :param throttled: account id -> its error; at least one.
    :param waiting_since: since when the task waits; None = since now.
    :param of: how many accounts the task reads, for the message.
    :raises Throttled: no wait fits any more; the message names the accounts.
    """
    # The worker's own clock: a wait is so many seconds from now, by the clock of Airflow's triggerer or scheduler.
    now = datetime.now(UTC)
    since = waiting_since or now
    left = (since + timeout - now).total_seconds()
    # META-30: a call before the named minutes are over prolongs the block.
    waits = [DEFAULT_WAIT if error.retry_after is None else error.retry_after for error in throttled.values()]
    if not (fitting := [seconds for seconds in waits if seconds <= left]):
        error = combine(throttled, of)
        raise Throttled(
            f"Meta's rate limit did not open within throttle_timeout ({timeout}). {error.message} Spread the accounts "
            "over more tokens or a longer schedule, or raise throttle_timeout.",
            facts=error.facts,
            retry_after=min(waits),
        )
    jitter = random.uniform(0, JITTER)  # noqa: S311 - spreads load, guards nothing
    return RateLimitWait(now + timedelta(seconds=max(fitting) + jitter), since)


def wait_for_limit(
    operator: WaitingOperator,
    throttled: Mapping[str, Throttled],
    *,
    context: Context,
    of: int,
    since: datetime | None,
    save: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> NoReturn:
    """Give the worker slot back until Meta's rate limit opens; fail for good where that would take too long.

    The trigger knows the time and nothing else. After a deferral the operator's ``resume`` gets the ``progress``; after
    a reschedule its ``execute`` runs again and finds what was kept.

    :param since: since when the task waits already; None = since now.
    :param save: keeps ``{"waiting_since": …}`` with the task's progress, and returns both as a deferral carries them.
    """
    from airflow_provider_iginsights.task.airflow_metrics import time_duration

    try:
        wait = plan_wait(throttled, waiting_since=since, timeout=operator.throttle_timeout, of=of)
    except Throttled as error:
        fail_without_retry(error)
    time_duration(context, "throttle_wait", wait.until - datetime.now(UTC))
    progress = save({"waiting_since": wait.since.isoformat()})
    operator.log.warning("Meta's rate limit is used up: the task waits until %s.", wait.until.isoformat())
    free_worker_slot(operator, wait.until, progress)


def free_worker_slot(operator: WaitingOperator, until: datetime, progress: Mapping[str, Any]) -> NoReturn:
    """Leave the worker: deferred, and ``resume`` gets the progress; or rescheduled, and ``execute`` runs again."""
    from airflow_provider_iginsights._compat import AirflowRescheduleException
    from airflow_provider_iginsights.task.wait_trigger import WaitTrigger

    # As Airflow's own sensors do: deferred to the triggerer, else rescheduled.
    if not parse_boolean(operator.deferrable, argument="deferrable"):
        raise AirflowRescheduleException(until)  # type: ignore[no-untyped-call]
    operator.defer(trigger=WaitTrigger(until), method_name="resume", kwargs={"progress": dict(progress)})
