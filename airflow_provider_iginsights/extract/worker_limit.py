"""How many accounts are read at the same time: more while Meta answers, fewer where the app's rate limit is near.

The number begins at four and grows by one per clean round, which is as many accounts as may be read at the same time.
It is halved by every account that meets a rate limit of the app or the user, and by every one after which more than 80
percent of the app's limit are used. A rate limit of a single account changes nothing: it concerns that account only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_iginsights.errors import InsightsError, Throttled

START_WORKERS = 4
MAX_APP_USAGE = 80.0  # Percent. Above it, the calls that are under way may be more than Meta still accepts.
_APP_LIMIT_CODES = (4, 17, 341, 613)  # Limits of the app, the user, and a custom one (Meta: Graph API, Rate Limits).


class WorkerLimit:
    """Lets so many threads at a time read an account. Thread-safe.

    :param ceiling: the largest number; at least one thread is let in whatever Meta says.
    :param take_app_usage: the percentage of the app's limit that Meta reported since the call before; 0 = none.
    """

    def __init__(self, ceiling: int, *, take_app_usage: Callable[[], float] = lambda: 0.0) -> None:
        self._ceiling = max(1, ceiling)
        self._take_app_usage = take_app_usage
        self._changed = threading.Condition()
        self._allowed = min(START_WORKERS, self._ceiling)
        self._at_work = 0
        self._clean_accounts = 0

    @property
    def allowed(self) -> int:
        """Return how many accounts may be read at the same time now."""
        return self._allowed

    @contextmanager
    def wait_for_turn(self) -> Iterator[None]:
        """Wait until one more account may be read; the ``with`` block reads it."""
        with self._changed:
            self._changed.wait_for(lambda: self._at_work < self._allowed)
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    def record_result(self, error: InsightsError | None = None) -> None:
        """Record that an account was read, or ended with an error."""
        usage = self._take_app_usage()
        is_limited = isinstance(error, Throttled) and error.facts.code in _APP_LIMIT_CODES
        with self._changed:
            if is_limited or usage > MAX_APP_USAGE:
                self._allowed, self._clean_accounts = max(1, self._allowed // 2), 0
            elif error is None:
                self._clean_accounts += 1
            else:  # A round with a server error is not clean.
                self._clean_accounts = 0
            if self._clean_accounts >= self._allowed < self._ceiling:
                self._allowed, self._clean_accounts = self._allowed + 1, 0
                self._changed.notify_all()
