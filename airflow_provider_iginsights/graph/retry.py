"""The one retry loop of this room: bounded in tries and in time, over all sizes in which one question is asked."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from airflow_provider_iginsights.errors import RetriableGraphError, TooMuchData
from airflow_provider_iginsights.graph.error_mapping import GraphFailure

T = TypeVar("T")

LONGEST_BACK_OFF: Final = 30.0
"""Seconds, less the jitter."""

SMALLEST: Final = 10
"""Items. What Meta does not answer at this size either was trouble, not size, unless it names the size itself."""

TRIES_BEFORE_HALVING: Final = 2
"""What may be too large is tried again once, then in smaller parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrier:
    """The bounds of retrying.

    :param tries: how often something is tried at most, the first time included.
    :param seconds: no try starts later than this after the first one.
    :param sleep: waits that many seconds.
    :param clock: monotonic seconds.
    :param on_retry: called before each retry.
    """

    tries: int
    seconds: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    on_retry: Callable[[], None] = lambda: None

    def call(
        self, attempt: Callable[[], T], *, retry_if: Callable[[T], bool], retry_after: Callable[[T], float | None]
    ) -> T:
        """Call ``attempt`` while ``retry_if`` says that its result is worth another try; return the last result.

        Waits 1, 2, 4 … at most 30 seconds plus up to 1, longer where ``retry_after`` says so; gives up beyond the
        bounds. Where ``retry_after`` says 0, the next attempt asks for less: it begins at once and is no further try.
        """
        deadline, tries = self.clock() + self.seconds, 1
        while retry_if(result := attempt()):
            told = retry_after(result)
            left = deadline - self.clock() - (told or 0)
            if left <= 0 or (told != 0 and tries >= self.tries):
                break
            self.on_retry()
            if told != 0:
                self.sleep(max(min(_back_off(tries), left), told or 0))
                tries += 1
        return result


@dataclass(slots=True)
class PartSize:
    """How many items one question asks for at once: halved where Meta may find it too much, in whatever words.

    :param items: a page's limit, or the reads in a batch; 1 = what cannot be divided.
    """

    items: int
    is_halved: bool = False
    _failures: int = 0

    def take(self, failure: GraphFailure, *, sent: int | None = None) -> bool:
        """Count a failure; return whether it is worth another request, of the same size or of a smaller one.

        :param sent: how many items were asked for, where they were fewer.
        """
        self._failures += 1
        items = self.items if sent is None else sent
        smallest = 1 if isinstance(failure.error, TooMuchData) else SMALLEST
        if failure.may_be_size and items > smallest:
            if self._failures < TRIES_BEFORE_HALVING and failure.retryable:
                return True
            self.items, self.is_halved = _halve(items), True
            return True
        return failure.is_worth_more(self._failures)

    def find_wait(self, failure: GraphFailure) -> float | None:
        """Return the seconds that a server asks for; 0 where it said itself that the size, halved by now, was at fault.

        A server that asks for no pause does not shorten the back-off: it would use up the tries within seconds.
        """
        if self.is_halved and isinstance(failure.error, TooMuchData):
            return 0
        return failure.error.retry_after or None if isinstance(failure.error, RetriableGraphError) else None


def _halve(items: int) -> int:
    half = (items + 1) // 2
    return max(half, SMALLEST) if items > SMALLEST else half


def _back_off(tries: int) -> float:
    """Return the seconds to wait after so many tries."""
    return min(2.0 ** (tries - 1), LONGEST_BACK_OFF) + random.random()  # noqa: S311 - jitter, no secret
