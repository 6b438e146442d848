"""Which metric a refusal is about, and what a run has learned not to ask again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.errors import InsightsError

ACCOUNTS_FOR_ALL = 3
"""So many accounts must refuse a metric, and none answer it, before the others are no longer asked."""

_POSITION = re.compile(r"metric\[(\d+)\]")
_WORD = re.compile(r"[a-z][a-z0-9_]+")

Key = tuple[str, str, str]
Dropped = tuple[tuple[str, InsightsError], ...]


def find_culprits(error: InsightsError, names: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics of a request that a refusal names, in request order; ``()`` where its text names none.

    Meta translates its messages but not the metric names in them. ``metric[2] must be one of …`` names by position and
    then lists every accepted name, so a position is looked for first.
    """
    if len(names) == 1:
        return tuple(names)
    position = _POSITION.search(error.facts.said)
    if position:
        return tuple(names[int(position[1]) :][:1])
    words = set(_WORD.findall(error.facts.said))
    return tuple(name for name in names if name in words)


def is_unknown_name(error: InsightsError) -> bool:
    """Return whether Meta does not know the metric's name at all, so that no breakdown makes a difference."""
    return _POSITION.search(error.facts.said) is not None


def is_about_object(error: InsightsError) -> bool:
    """Return whether a refusal is about this one object only (``-1/2207086``: media not shared to Facebook)."""
    return error.facts.code == -1


class Refusals:
    """What a run has learned from all its accounts, for those that follow. Shared by the threads of the run."""

    def __init__(self) -> None:
        self._answered: set[Key] = set()
        self._refused: dict[Key, tuple[int, InsightsError]] = {}
        self._lock = threading.Lock()

    def open_account(self, *, witnesses: int = 1) -> AccountRefusals:
        """Return the memory of one account's reading, which draws on this one and adds to it."""
        return AccountRefusals(self, witnesses=witnesses)

    def count_answers(self, keys: set[Key]) -> None:
        """Remember that an account answers these metrics."""
        with self._lock:
            self._answered |= keys

    def count_refusal(self, key: Key, error: InsightsError) -> None:
        """Remember that one more account refuses a metric."""
        with self._lock:
            self._refused[key] = (self._refused.get(key, (0, error))[0] + 1, error)

    def find(self, key: Key) -> InsightsError | None:
        """Return why nobody needs to ask for a metric again; None where somebody may answer."""
        count, error = self._refused.get(key, (0, None))
        return error if count >= ACCOUNTS_FOR_ALL and key not in self._answered else None

    def __bool__(self) -> bool:
        """Return whether anything was refused so far."""
        return bool(self._refused)


class AccountRefusals:
    """Metrics that a whole group (a product type, or the account itself) refuses, while one account is read.

    A metric counts as refused by a group once ``witnesses`` objects there refused it and none answered, so that one odd
    post does not silence the others.
    """

    def __init__(self, run: Refusals, *, witnesses: int = 1) -> None:
        self.witnesses = witnesses
        self._run = run
        self._heard: dict[Key, set[str]] = {}
        self._answered: set[Key] = set()
        self._refused: dict[Key, InsightsError] = {}
        self._known: set[tuple[str, str, tuple[str, ...]]] = set()

    def learn_answer(self, group: str, query: InsightsQuery) -> None:
        """Remember that the group answers these metrics."""
        signature = (group, query.breakdown, query.names)
        if signature not in self._known:
            self._known.add(signature)
            keys = {(group, query.breakdown, name) for name in query.names}
            self._answered |= keys
            self._run.count_answers(keys)

    def learn_refusal(
        self, group: str, breakdown: str, names: Iterable[str], error: InsightsError, *, whom: str
    ) -> None:
        """Remember that one object of the group refused these metrics, broken down so."""
        for name in names:
            key = (group, breakdown, name)
            if key in self._refused:
                continue
            heard = self._heard.setdefault(key, set())
            heard.add(whom)
            if len(heard) >= self.witnesses:
                self._refused[key] = error
                self._run.count_refusal(key, error)

    def find(self, group: str, breakdown: str, name: str) -> InsightsError | None:
        """Return why the group need not be asked for a metric, or None."""
        key = (group, breakdown, name)
        if key in self._answered:
            return None
        return self._refused.get(key) or self._run.find(key)

    def reduce(self, group: str, query: InsightsQuery) -> tuple[tuple[InsightsQuery, ...], Dropped]:
        """Return what is left to ask of a query, and what was dropped from it with the reason.

        Where only a breakdown is refused, its metrics' totals are a query of their own.
        """
        if not self._refused and not self._run:
            return (query,), ()
        dropped = tuple(
            (name, error) for name in query.names if (error := self.find(group, query.breakdown, name)) is not None
        )
        if not dropped:
            return (query,), ()
        names = [name for name, _ in dropped]
        totals = query.of_totals(name for name in names if self.find(group, "", name) is None)
        return tuple(part for part in (query.without(names), totals) if part), dropped
