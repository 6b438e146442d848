"""Finds the metrics that a refusal is about, and records them, so that they are not requested again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.errors import InsightsError

MIN_REFUSING_ACCOUNTS = 3
"""So many accounts must refuse a metric, and none answer it, before it is left out for the other accounts."""

_POSITION = re.compile(r"metric\[(\d+)\]")
_WORD = re.compile(r"[a-z][a-z0-9_]+")

Key = tuple[str, str, str]
Dropped = tuple[tuple[str, InsightsError], ...]


def find_named_metrics(error: InsightsError, names: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics of a request that a refusal names, in request order; ``()`` where its text names none.

    A refusal of a single metric names it in any case.
    """
    if len(names) == 1:
        return tuple(names)
    # META-19: Meta translates its messages, but not the names of metrics. "metric[2] must be one of ..." names the
    # refused metric by position and lists all accepted names after it, so the position comes first.
    position = _POSITION.search(error.facts.said)
    if position:
        return tuple(names[int(position[1]) :][:1])
    words = set(_WORD.findall(error.facts.said))
    return tuple(name for name in names if name in words)


def is_unknown_name(error: InsightsError) -> bool:
    """Return whether Meta does not know the metric's name at all, with or without a breakdown."""
    return _POSITION.search(error.facts.said) is not None


def is_about_object(error: InsightsError) -> bool:
    """Return whether a refusal is about this one object only."""
    return error.facts.code == -1  # META-23: with 2207086, the post is not shared to Facebook.


class RefusedMetrics:
    """The metrics that the accounts of a run refused or answered. Shared by the threads of the run."""

    def __init__(self) -> None:
        self._answered: set[Key] = set()
        self._refused: dict[Key, tuple[int, InsightsError]] = {}
        self._lock = threading.Lock()

    def open_account(self, *, min_objects: int = 1) -> AccountRefusedMetrics:
        """Return the record of one account, which reads this one and adds to it."""
        return AccountRefusedMetrics(self, min_objects=min_objects)

    def count_answers(self, keys: set[Key]) -> None:
        """Record that an account answers these metrics."""
        with self._lock:
            self._answered |= keys

    def count_refusal(self, key: Key, error: InsightsError) -> None:
        """Record that one more account refuses a metric."""
        with self._lock:
            self._refused[key] = (self._refused.get(key, (0, error))[0] + 1, error)

    def find(self, key: Key) -> InsightsError | None:
        """Return why a metric is left out for all accounts; None where it is not."""
        count, error = self._refused.get(key, (0, None))
        return error if count >= MIN_REFUSING_ACCOUNTS and key not in self._answered else None

    def __bool__(self) -> bool:
        """Return whether anything was refused so far."""
        return bool(self._refused)


class AccountRefusedMetrics:
    """Metrics that a whole group (a product type, or the account itself) refuses, while one account is read.

    A group refuses a metric if ``min_objects`` of its objects refused it and none answered it, so that one unusual post
    does not cost the others a metric.
    """

    def __init__(self, run: RefusedMetrics, *, min_objects: int = 1) -> None:
        self.min_objects = min_objects
        self._run = run
        self._refusing_objects: dict[Key, set[str]] = {}
        self._answered: set[Key] = set()
        self._refused: dict[Key, InsightsError] = {}
        self._known: set[tuple[str, str, tuple[str, ...]]] = set()

    def record_answer(self, group: str, query: InsightsQuery) -> None:
        """Record that the group answers these metrics."""
        signature = (group, query.breakdown, query.names)
        if signature not in self._known:
            self._known.add(signature)
            keys = {(group, query.breakdown, name) for name in query.names}
            self._answered |= keys
            self._run.count_answers(keys)

    def record_refusal(
        self, group: str, breakdown: str, names: Iterable[str], error: InsightsError, *, whom: str
    ) -> None:
        """Record that one object of the group refused these metrics with this breakdown."""
        for name in names:
            key = (group, breakdown, name)
            if key in self._refused:
                continue
            objects = self._refusing_objects.setdefault(key, set())
            objects.add(whom)
            if len(objects) >= self.min_objects:
                self._refused[key] = error
                self._run.count_refusal(key, error)

    def find(self, group: str, breakdown: str, name: str) -> InsightsError | None:
        """Return why a metric is left out for the group; None where it is not."""
        key = (group, breakdown, name)
        if key in self._answered:
            return None
        return self._refused.get(key) or self._run.find(key)

    def reduce(self, group: str, query: InsightsQuery) -> tuple[tuple[InsightsQuery, ...], Dropped]:
        """Return the query without refused metrics, and the dropped metrics with the reason.

        Where only a breakdown is refused, the totals of its metrics are a second query.
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
