"""When Airflow should try a failed task again, and how long it should wait: by what the error says (Airflow 3.3+).

Airflow stores only that a task has a policy; the worker takes the object from the Dag file and asks it. A policy can
end the tries early or change the delay, never add tries: a task needs ``retries`` for anything to be tried again. From
Airflow 3.4 on it can also have a task run again later without using a retry, as a rate limit deserves.

What this policy knows nothing about it leaves open (``DEFAULT``), so that another one can follow it:
``ChainRetryPolicy([default_retry_policy(), mine])`` (Airflow 3.4+).
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import (
    ConfigurationError,
    FatalGraphError,
    InsightsError,
    RetriableGraphError,
    Throttled,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow_provider_iginsights._compat import RetryPolicy
    except ImportError:  # below 3.3: the module can be imported, default_retry_policy() says what is missing
        RetryPolicy = object


@dataclass(frozen=True, kw_only=True)
class InsightsRetryPolicy(RetryPolicy):
    """Fail at once what no retry cures, wait as long as Meta says, back off from trouble, leave the rest to the task.

    ============================================  ====================================================================
    error                                         decision
    ============================================  ====================================================================
    ``FatalGraphError``, ``ConfigurationError``   fail: somebody has to act (token, permission, Dag, table)
    ``Throttled``                                 retry after its ``retry_after``, else after ``throttled_delay``; from
                                                  3.4 on reschedule, which uses no retry, within ``throttle_timeout``
    other ``RetriableGraphError``                 retry after ``retry_after``, else ``first_delay`` doubled at each try
    everything else, such as ``LoadError``        the task's own ``retries`` and ``retry_delay``
    ============================================  ====================================================================

    :param first_delay: seconds before the second try after trouble at Meta's servers.
    :param longest_delay: seconds that a doubled delay does not exceed. What Meta names is never cut short.
    :param throttled_delay: seconds to wait for a rate limit when Meta named none; its limits count the last hour.
    :param throttle_timeout: seconds since the first reschedule of a try after which a throttled task uses retries.
    :param jitter: part of a delay that is added at random, so that tasks which failed together return one by one.
    """

    first_delay: float = 60
    longest_delay: float = 1800
    throttled_delay: float = 900
    throttle_timeout: float = 6 * 3600
    jitter: float = 0.1

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 - Airflow's signature
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Return the decision for one failure; ``try_number`` counts from 1. The reason it gives holds no secret."""
        from airflow_provider_iginsights._compat import RetryDecision

        if isinstance(exception, FatalGraphError | ConfigurationError):
            return RetryDecision.fail(reason=_reason(exception))
        if not isinstance(exception, RetriableGraphError):
            return RetryDecision.default()
        seconds = self._delay(exception, try_number) * (1 + self.jitter * random.random())  # noqa: S311 - no secret
        delay, reason = timedelta(seconds=seconds), _reason(exception)
        if isinstance(exception, Throttled) and hasattr(RetryDecision, "reschedule"):
            # The bound is Airflow's: once it is reached, the task's own retries and delay decide.
            timeout = timedelta(seconds=self.throttle_timeout)
            decision: RetryDecision = RetryDecision.reschedule(delay, reschedule_timeout=timeout, reason=reason)
            return decision
        return RetryDecision.retry(delay=delay, reason=reason)

    def _delay(self, error: RetriableGraphError, try_number: int) -> float:
        if error.retry_after is not None:
            return max(error.retry_after, 0)
        if isinstance(error, Throttled):
            return self.throttled_delay
        return float(min(self.first_delay * 2.0 ** min(max(try_number - 1, 0), 32), self.longest_delay))

    def serialize(self) -> dict[str, Any]:
        """Return the parameters as JSON."""
        return asdict(self)

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> InsightsRetryPolicy:
        """Return the policy that ``serialize`` described."""
        return cls(**data)


def default_retry_policy() -> InsightsRetryPolicy:
    """Return the policy to give to a task: ``retry_policy=default_retry_policy(), retries=5``.

    :raises ConfigurationError: Airflow is older than 3.3 and has no retry policies.
    """
    if RetryPolicy is object:
        raise ConfigurationError(
            "default_retry_policy() needs Airflow 3.3 or newer. On older versions set retries, retry_delay and "
            "retry_exponential_backoff on the task instead."
        )
    return InsightsRetryPolicy()


def _reason(error: InsightsError) -> str:
    return f"{type(error).__name__}: {error.message}"
