"""A circuit breaker: a request that failed after all retries, again and again, is sent without retries from then on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

MIN_FAILURES = 3
"""A request must fail after all retries for so many accounts, or objects of one account, before retries stop."""


@dataclass(slots=True)
class CircuitBreaker:
    """Which accounts of a run failed on a request after all retries. Shared by the threads of the run."""

    _accounts: dict[object, set[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open_account(self, account_id: str, *, is_repeat: bool = False) -> AccountCircuitBreaker:
        """Return the breaker of one account, which reads this one and adds to it.

        :param is_repeat: unanswered requests are repeated. Time has passed, so they are counted apart.
        """
        return AccountCircuitBreaker(self, account_id, is_repeat)

    def record_failure(self, request: object, account_id: str) -> None:
        """Record that a request failed for an account after all retries."""
        with self._lock:
            self._accounts.setdefault(request, set()).add(account_id)

    def record_success(self, request: object) -> None:
        """Clear the failures of a request that was answered."""
        if self._accounts:
            with self._lock:
                self._accounts.pop(request, None)

    def is_open(self, request: object) -> bool:
        """Return whether the request failed for so many accounts that the others send it without retries."""
        return len(self._accounts.get(request, ())) >= MIN_FAILURES


@dataclass(slots=True)
class AccountCircuitBreaker:
    """The same for the objects of one account, while it is read."""

    _run: CircuitBreaker
    _account_id: str
    _is_repeat: bool = False
    _failures: dict[object, int] = field(default_factory=dict)

    def record_failure(self, request: object) -> None:
        """Record that a request failed for an object after all retries."""
        # A request without retries says nothing about retries.
        if not self.is_open(request):
            self._failures[request] = self._failures.get(request, 0) + 1
            self._run.record_failure((self._is_repeat, request), self._account_id)

    def record_success(self, request: object) -> None:
        """Let the other accounts use retries again. The objects of this account that failed may go on failing."""
        self._run.record_success((self._is_repeat, request))

    def is_open(self, request: object) -> bool:
        """Return whether this request is to be sent without retries."""
        return self._failures.get(request, 0) >= MIN_FAILURES or self._run.is_open((self._is_repeat, request))
