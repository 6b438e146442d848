"""Records the metrics for which Meta sent no number although they were requested: per account, and for how many days.

A missing number is never a 0. A refused metric is not recorded here; its refusal is noted where it is handled.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.pacific import closing_time, pacific_date

SETTLED = timedelta(hours=48)  # META-07: Meta may add a day's numbers for so long.
"""A missing number is noted only this long after the end of its day."""

Days = tuple[date, ...]
_NOW: Days = (date.min,)  # A snapshot has no day.


class MetricVariant(NamedTuple):
    """One form in which a metric was requested. ``breakdown`` is ``''`` where the total alone is an answer, too."""

    metric: str
    period: str
    timeframe: str
    breakdown: str


@dataclass(slots=True)
class NoDataMetrics:
    """The metrics for which an account sent no number on any day of a run. Several threads write.

    ``metrics`` by account id; ``last_day``: the latest day requested; for a snapshot, today (Pacific).
    """

    metrics: dict[str, set[str]] = field(default_factory=dict)
    last_day: date = date.min
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, account_id: str, metric: str, days: Days) -> None:
        """Add a metric of an account."""
        with self._lock:
            self.metrics.setdefault(account_id, set()).add(metric)
            self.last_day = max((*days, self.last_day))


@dataclass(slots=True, kw_only=True)
class AnsweredMetrics:
    """The metrics and days that were requested of one account, and those with any number, readable or not."""

    account_id: str
    left_out_log: LeftOutLog
    no_data: NoDataMetrics
    _requested: defaultdict[MetricVariant, set[date]] = field(default_factory=lambda: defaultdict(set), init=False)
    _answered: defaultdict[MetricVariant, set[date]] = field(default_factory=lambda: defaultdict(set), init=False)
    _metrics: dict[str, Metric] = field(default_factory=dict, init=False)

    def record_request(self, query: InsightsQuery, days: Days) -> None:
        """Record a request that Meta answered, with or without numbers."""
        for metric in query.metrics:
            if not _is_expected(metric, query):
                continue
            self._metrics[metric.name] = metric
            self._requested[_make_variant(metric, query)].update(days or _NOW)

    def record_answer(self, query: InsightsQuery, metric: Metric, days: Iterable[date]) -> None:
        """Record that a number came for these days; a snapshot has no days."""
        # The breakdown of another request is no answer to the request for the total.
        if not _is_expected(metric, query):
            return
        self._answered[_make_variant(metric, query)].update(tuple(days) or _NOW)

    def note_missing(self, *, now: datetime, followers: int | None) -> None:
        """Note the metrics that were requested and did not come.

        :param followers: of the account, as its profile says; None = not known.
        """
        # META-09: Meta hardly ever sends 0, so a missing number may be 0 or anything else.
        for variant, missing, requested in self._find_missing(now, followers):
            metric, whom = self._metrics[variant.metric], f"account {self.account_id}"
            if _is_too_small(metric, followers):  # META-15: this is expected, and no gap in the data.
                why = f"Meta has this metric for accounts of {metric.min_followers} followers and more only."
                self.left_out_log.note(whom, variant.metric, "TooFewFollowers", why)
                continue
            share = "" if requested == set(_NOW) else f" for {len(missing)} of the {len(requested)} days"
            self.left_out_log.note_no_data(whom, variant.metric, f"Meta was asked for it and sent no number{share}.")
            if not self._answered[variant]:
                days = (pacific_date(now),) if requested == set(_NOW) else tuple(requested)
                self.no_data.add(self.account_id, variant.metric, days)

    def _find_missing(
        self, now: datetime, followers: int | None
    ) -> Iterator[tuple[MetricVariant, set[date], set[date]]]:
        """Yield variants with their missing and their requested days; days that may still be filled are in neither."""
        for variant, days in self._requested.items():
            answered = self._answered[variant]
            if not answered and _is_too_small(self._metrics[variant.metric], followers):
                yield variant, days, days
                continue
            requested = {day for day in days if day == date.min or closing_time(day) + SETTLED <= now}
            if missing := requested - answered:
                yield variant, missing, requested


def _is_expected(metric: Metric, query: InsightsQuery) -> bool:
    """Tell whether a request must bring a number: not where the total is in another, for a breakdown may be empty."""
    return metric.needs_breakdown or metric.name in query.totals


def _make_variant(metric: Metric, query: InsightsQuery) -> MetricVariant:
    return MetricVariant(metric.name, query.period, query.timeframe, query.breakdown if metric.needs_breakdown else "")


def _is_too_small(metric: Metric, followers: int | None) -> bool:
    return followers is not None and metric.min_followers is not None and followers < metric.min_followers
