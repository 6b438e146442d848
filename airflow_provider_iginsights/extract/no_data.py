"""What Meta was asked and did not answer: which account was silent about which metric, and for how many days.

Silence is no answer, and never a 0. A metric that was refused is not silent: its refusal is named where it came.
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

SETTLED = timedelta(hours=48)  # META-07
"""Meta may fill in a day's numbers for so long; until then silence means nothing (its insights reference: 48 hours)."""

Days = tuple[date, ...]
_NOW: Days = (date.min,)  # a snapshot is asked as of now, and has no day that could be too young


class MetricVariant(NamedTuple):
    """One way in which a metric was asked. Without its breakdown where the total is its answer, too."""

    metric: str
    period: str
    timeframe: str
    breakdown: str


@dataclass(slots=True)
class NoDataMetrics:
    """The metrics of a run of which an account sent no number at all, in any day; several threads write.

    ``metrics`` by account id; ``last_day``: the latest day that was asked, today (Pacific) for what has no day.
    """

    metrics: dict[str, set[str]] = field(default_factory=dict)
    last_day: date = date.min
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, account_id: str, metric: str, days: Days) -> None:
        """Remember one."""
        with self._lock:
            self.metrics.setdefault(account_id, set()).add(metric)
            self.last_day = max((*days, self.last_day))


@dataclass(slots=True, kw_only=True)
class AnsweredMetrics:
    """What one account was asked, and of what any number came, readable or not."""

    account_id: str
    left_out_log: LeftOutLog
    silences: NoDataMetrics
    _asked: defaultdict[MetricVariant, set[date]] = field(default_factory=lambda: defaultdict(set), init=False)
    _heard: defaultdict[MetricVariant, set[date]] = field(default_factory=lambda: defaultdict(set), init=False)
    _metrics: dict[str, Metric] = field(default_factory=dict, init=False)

    def ask(self, query: InsightsQuery, days: Days) -> None:
        """Take down a question that was answered, in whatever way.

        Where a metric's total is asked elsewhere, its breakdown may well be empty beside it.
        """
        for metric in query.metrics:
            if not metric.needs_breakdown and metric.name not in query.totals:
                continue
            self._metrics[metric.name] = metric
            self._asked[_line(metric, query)].update(days or _NOW)

    def hear(self, query: InsightsQuery, metric: Metric, days: Iterable[date]) -> None:
        """Take down that something came for these days; for a snapshot there is only one."""
        self._heard[_line(metric, query)].update(tuple(days) or _NOW)

    def tell(self, *, now: datetime, followers: int | None) -> None:
        """Note what was asked and did not come.

        :param followers: of the account, as its profile says; None = not known.
        """
        # META-09: Meta hardly ever says 0, so a number that did not come may be anything.
        for line, silent, asked in self._find_silent(now, followers):
            metric, whom = self._metrics[line.metric], f"account {self.account_id}"
            if _is_too_small(metric, followers):  # META-15
                why = f"Meta has this metric for accounts of {metric.min_followers} followers and more only."
                self.left_out_log.note(whom, line.metric, "TooFewFollowers", why)
                continue
            of = "" if asked == set(_NOW) else f" for {len(silent)} of the {len(asked)} days"
            self.left_out_log.note_silence(whom, line.metric, f"Meta was asked for it and sent no number{of}.")
            if not self._heard[line]:
                days = (pacific_date(now),) if asked == set(_NOW) else tuple(asked)
                self.silences.add(self.account_id, line.metric, days)

    def _find_silent(
        self, now: datetime, followers: int | None
    ) -> Iterator[tuple[MetricVariant, set[date], set[date]]]:
        """Yield lines with their silent days and those asked, the ones that are too young left out of both."""
        for line, days in self._asked.items():
            heard = self._heard[line]
            if not heard and _is_too_small(self._metrics[line.metric], followers):
                yield line, days, days
                continue
            asked = {day for day in days if day == date.min or closing_time(day) + SETTLED <= now}
            if silent := asked - heard:
                yield line, silent, asked


def _line(metric: Metric, query: InsightsQuery) -> MetricVariant:
    return MetricVariant(metric.name, query.period, query.timeframe, query.breakdown if metric.needs_breakdown else "")


def _is_too_small(metric: Metric, followers: int | None) -> bool:
    return followers is not None and metric.min_followers is not None and followers < metric.min_followers
