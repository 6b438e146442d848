"""How often and how long a request is tried again: bounded in both, with jitter, the server's own word first."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, wait_exponential_jitter

T = TypeVar("T")

_BACKOFF = wait_exponential_jitter(initial=1, max=30, jitter=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
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

    def persist(self, attempt: Callable[[], T], *, again: Callable[[T], bool], told: Callable[[T], float | None]) -> T:
        """Call ``attempt`` while ``again`` says that its result is worth another try; return the last result.

        Waits 1, 2, 4 … at most 30 seconds plus up to 1, longer where the server ``told`` so; gives up beyond the
        bounds. A server that asks for less does not shorten the waits: it would use up the tries within seconds.
        """
        deadline = self.clock() + self.seconds

        def is_over(state: RetryCallState) -> bool:
            return state.attempt_number >= self.tries or self.clock() + (told(_result(state)) or 0) >= deadline

        def measure_wait(state: RetryCallState) -> float:
            own = min(_BACKOFF(state), max(deadline - self.clock(), 0))
            return max(own, told(_result(state)) or 0)

        retrying = Retrying(
            retry=retry_if_result(again),
            stop=is_over,
            wait=measure_wait,
            sleep=self.sleep,
            before_sleep=lambda _: self.on_retry(),
            retry_error_callback=_result,
        )
        return retrying(attempt)


def _result(state: RetryCallState) -> T:  # type: ignore[type-var]
    outcome = state.outcome
    return outcome.result() if outcome is not None else None  # type: ignore[return-value]
