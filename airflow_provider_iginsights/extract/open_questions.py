"""Questions that trouble at Meta left open: what was asked, of whom, and how to ask only that again.

A server that fails says nothing about the metric, the media or the account that was asked for. So nothing is learned
from it: the question is set aside, asked again once all other accounts were read, and again when the task is retried.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.errors import InsightsError, RetriableGraphError, Throttled

ENOUGH = 3
"""So many accounts (or objects of one account) must exhaust all patience over the same question, before the others are
asked once only."""

FEW = 50
"""Up to so many open questions of an account are asked again metric by metric."""

QuestionParameters = Mapping[str, Any]
"""What a reader needs to ask an open question again, JSON-able: ``{"profile": True}``, ``{"after": CURSOR}`` for the
rest of a listing, or a query's ``metrics``, ``period``, ``breakdown``, ``timeframe`` with ``days`` or ``media``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """``what`` (metrics, a field, a listing) of ``whom``; the ``error`` that stood in the way; how to ask ``again``."""

    whom: str
    what: str
    error: InsightsError
    again: QuestionParameters


class Unanswered(Exception):
    """An account was read to its end, but for these questions. Raised after its last row; no error of the run."""

    def __init__(self, questions: Iterable[OpenQuestion]) -> None:
        super().__init__(tuple(questions))

    @property
    def questions(self) -> tuple[OpenQuestion, ...]:
        """Return the open questions, at least one."""
        return self.args[0]  # type: ignore[no-any-return]


def is_trouble(error: InsightsError) -> bool:
    """Return whether an error is a server's or the network's, and says nothing about what was asked for."""
    return isinstance(error, RetriableGraphError) and not isinstance(error, Throttled)


def pack_query(query: InsightsQuery) -> dict[str, Any]:
    """Return the part of :data:`Again` that names a query."""
    return {
        "metrics": list(query.names),
        "period": query.period,
        "breakdown": query.breakdown,
        "timeframe": query.timeframe,
    }


def select_open(query: InsightsQuery, asked: Sequence[QuestionParameters], *, of: int = 0) -> Iterator[InsightsQuery]:
    """Yield the parts of a planned query that are among the questions: of its metrics, and of their totals alone.

    Metric by metric, so that one which never answers does not take those along that were asked with it; unless so many
    questions are open (``of``) that it is no single metric's trouble, and would cost too many calls.
    """
    for variant in (query, query.of_totals(query.names)):
        if variant is None:
            continue
        names = {
            name
            for again in asked
            if (again.get("period"), again.get("breakdown"), again.get("timeframe"))
            == (variant.period, variant.breakdown, variant.timeframe)
            for name in again.get("metrics") or ()
        }
        if part := variant.without(name for name in variant.names if name not in names):
            yield from part.split() if of <= FEW else (part,)


@dataclass(slots=True)
class ExhaustedRetries:
    """Over which questions the accounts of a run exhausted their patience. Shared by the threads of the run."""

    _accounts: dict[object, set[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open_account(self, account_id: str, *, again: bool = False) -> AccountExhaustedRetries:
        """Return the memory of one account's reading, which draws on this one and adds to it.

        :param again: open questions are asked again; time has passed, so they deserve full patience anew.
        """
        return AccountExhaustedRetries(self, account_id, again)

    def count(self, question: object, account_id: str) -> None:
        """Remember that an account exhausted its patience over a question."""
        with self._lock:
            self._accounts.setdefault(question, set()).add(account_id)

    def forget(self, question: object) -> None:
        """Forget a question that was answered."""
        if self._accounts:
            with self._lock:
                self._accounts.pop(question, None)

    def last(self, question: object) -> bool:
        """Return whether so many accounts exhausted their patience that one try is enough for the others."""
        return len(self._accounts.get(question, ())) >= ENOUGH


@dataclass(slots=True)
class AccountExhaustedRetries:
    """The same for the objects of one account, while it is read."""

    _run: ExhaustedRetries
    _account_id: str
    _again: bool = False
    _exhausted: dict[object, int] = field(default_factory=dict)

    def exhaust(self, question: object) -> None:
        """Remember that the account itself exhausted the patience over a question, unless it was tried once only."""
        if not self.last(question):
            self.count(question)

    def count(self, question: object) -> None:
        """Remember that an object exhausted the patience over a question."""
        self._exhausted[question] = self._exhausted.get(question, 0) + 1
        self._run.count((self._again, question), self._account_id)

    def forget(self, question: object) -> None:
        """Let the other accounts be patient again. Within this account, some objects may be troubled for good."""
        self._run.forget((self._again, question))

    def last(self, question: object) -> bool:
        """Return whether one try of this question is enough."""
        return self._exhausted.get(question, 0) >= ENOUGH or self._run.last((self._again, question))
