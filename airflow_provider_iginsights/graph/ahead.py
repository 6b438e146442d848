"""Requests that another thread sends ahead, while the caller still works on the answers before them.

The other thread makes the first try only. Retries, halved sizes and errors are left to the caller when it reads the
result. So a request that was sent ahead has the same limits and the same outcome as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MAX_THREADS: Final = 64
"""Two for each account that is read at the same time: a page and a batch. More wait for a free thread."""


@dataclass(frozen=True, slots=True)
class SentAhead(Generic[T]):
    """A request whose first try another thread makes. Call :meth:`read` or :meth:`abandon`, once.

    :param first_try: of type Future; its result is the reply to the first try.
    :param read_result: does the rest, and returns the result of the request.
    """

    first_try: Future[Any]
    read_result: Callable[[], T]

    def read(self) -> T:
        """Wait for the first try, do what else is needed, and return the result.

        :raises InsightsError: the same as if the request had not been sent ahead.
        """
        return self.read_result()

    def abandon(self) -> None:
        """Wait until the first try is over, if it has begun. Its reply is not used, and no other try follows."""
        if not self.first_try.cancel():
            wait([self.first_try])


class AheadThreads:
    """The threads that make first tries. They are started when they are needed, and end with :meth:`close`."""

    def __init__(self) -> None:
        self._executor = _make_executor()

    def submit(self, send: Callable[..., T], *arguments: Any, **options: Any) -> Future[T]:
        """Call ``send`` in another thread."""
        return self._executor.submit(send, *arguments, **options)

    def close(self) -> None:
        """Wait for the first tries that are under way, and end the threads. A later request starts new ones."""
        executor, self._executor = self._executor, _make_executor()
        executor.shutdown(wait=True, cancel_futures=True)


def begin_with(first_try: Future[T] | None, attempt: Callable[[], T]) -> Callable[[], T]:
    """Return ``attempt`` with the result of ``first_try`` in place of its first call; without one, ``attempt``."""
    if first_try is None:
        return attempt
    calls: chain[Callable[[], T]] = chain((first_try.result,), repeat(attempt))
    return lambda: next(calls)()


def _make_executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="iginsights-ahead")
