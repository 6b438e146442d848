"""The only retry loop for the Graph API, with limits on tries and time; and smaller requests after "too much data"."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from airflow_provider_iginsights.errors import RetriableGraphError, TooMuchData
from airflow_provider_iginsights.graph.error_mapping import GraphFailure

T = TypeVar("T")

MAX_BACKOFF: Final = 30.0
"""Seconds, before the jitter is added."""

MIN_ITEMS: Final = 10
"""Requests are not halved below this number of items, unless Meta says itself that the answer is too large."""

TRIES_BEFORE_HALVING: Final = 2
"""A request that may be too large is repeated once with the same size before its size is halved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrier:
    """The retry limits.

    :param max_tries: number of tries at most, the first one included.
    :param max_seconds: no try starts later than this after the first one.
    :param sleep: waits that many seconds.
    :param clock: monotonic seconds.
    :param on_retry: called before each retry.
    """

    max_tries: int
    max_seconds: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    on_retry: Callable[[], None] = lambda: None

    def call(
        self, attempt: Callable[[], T], *, retry_if: Callable[[T], bool], retry_after: Callable[[T], float | None]
    ) -> T:
        """Call ``attempt`` until ``retry_if`` is false for its result or a limit is reached; return the last result.

        The waits are 1, 2, 4 … at most 30 seconds, plus up to 1 second of jitter, or longer where ``retry_after``
        returns more seconds. Where it returns 0, the next request is smaller: it is sent at once and counts as no try.
        """
        deadline, tries = self.clock() + self.max_seconds, 1
        while retry_if(result := attempt()):
            requested = retry_after(result)
            left = deadline - self.clock() - (requested or 0)
            if left <= 0 or (requested != 0 and tries >= self.max_tries):
                break
            self.on_retry()
            if requested != 0:
                self.sleep(max(min(_compute_backoff(tries), left), requested or 0))
                tries += 1
        return result


@dataclass(slots=True)
class RequestSize:
    """Number of items in one request. It is halved where an error may mean that Meta finds the request too large.

    :param items: the limit of a page, or the reads in a batch; 1 = a request that cannot be divided.
    """

    items: int
    is_halved: bool = False
    _failures: int = 0

    def record_failure(self, failure: GraphFailure, *, sent: int | None = None) -> bool:
        """Count a failure; return whether to send another request, of the same size or of a smaller one.

        :param sent: number of items in the failed request, where it was less than ``items``.
        """
        self._failures += 1
        items = self.items if sent is None else sent
        # META-21: many errors mean "too much data", so only a size that was tried can tell which ones do.
        minimum = 1 if isinstance(failure.error, TooMuchData) else MIN_ITEMS
        if failure.may_be_size and items > minimum:
            if self._failures < TRIES_BEFORE_HALVING and failure.retryable:
                return True
            self.items, self.is_halved = _halve(items), True
            return True
        return failure.is_retryable_after(self._failures)

    def find_wait(self, failure: GraphFailure) -> float | None:
        """Return the seconds that the server asks for, or None.

        Returns 0 where the server said itself that the answer was too large, and the size has been halved since.
        """
        if self.is_halved and isinstance(failure.error, TooMuchData):
            return 0
        # "Retry-After: 0" does not shorten the back-off: all tries would be used up within seconds.
        return failure.error.retry_after or None if isinstance(failure.error, RetriableGraphError) else None


def _halve(items: int) -> int:
    half = (items + 1) // 2
    return max(half, MIN_ITEMS) if items > MIN_ITEMS else half


def _compute_backoff(tries: int) -> float:
    """Return the seconds to wait after this number of tries."""
    return min(2.0 ** (tries - 1), MAX_BACKOFF) + random.random()  # noqa: S311 - jitter, no secret
