"""An account's numbers in batches: dated series, totals of each day, snapshots of its audience, and its profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.plan import AccountPlan, InsightsQuery
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.findings import Findings
from airflow_provider_iginsights.extract.inquiry import Ask, Inquiry
from airflow_provider_iginsights.extract.profile import ProfileCourier
from airflow_provider_iginsights.extract.refusals import Refusals
from airflow_provider_iginsights.extract.rows import Number, Row, TableRow, format_instant, read_end_time, read_numbers
from airflow_provider_iginsights.extract.spelling import spell_insights
from airflow_provider_iginsights.extract.stamp import Stamp
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject
from airflow_provider_iginsights.pacific import (
    chunks,
    pacific_date,
    pacific_day_bounds,
    request_window,
    split_by_horizon,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

_UNBOUND: Row = dict.fromkeys(("end_time", "window_start", "window_end"))
GROUP = "account"
OLDEST = "account on the oldest day"


@dataclass(frozen=True, slots=True)
class Span:
    """The Pacific days (first to last, inclusive) that one question covers; None for snapshots."""

    days: tuple[date, ...] = ()

    def __str__(self) -> str:
        """Return the days as they read in a message."""
        return f"{self.days[0]} to {self.days[-1]}" if self.days else "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReader:
    """Reads accounts for one window.

    ``days``: closed Pacific days, ascending; ``current``: ask snapshots (audience, profile) too.
    """

    client: GraphClient
    plan: AccountPlan
    days: tuple[date, ...]
    stamp: Stamp
    findings: Findings
    refusals: Refusals
    current: bool = True
    profiles: bool = True

    def read(self, account_id: str) -> Iterator[TableRow]:
        """Yield ``(table, row)`` for one account: tables ``account_insights`` and ``accounts``.

        :raises InsightsError: see :meth:`Inquiry.ask`; ``AccountUnavailable`` where the token cannot see the account.
        """
        profile = ProfileCourier(client=self.client, account_id=account_id, stamp=self.stamp)
        wanted = self.profiles and self.current
        inquiry = Inquiry(
            client=profile if wanted else self.client,
            account_id=account_id,
            build=lambda ask: self._build(account_id, ask),
            refusals=self.refusals.open_account(),
            findings=self.findings,
            must_answer=True,
        )
        try:
            for ask, answer in inquiry.ask(self._asks(account_id)):
                yield from profile.take()
                for row in self._rows(account_id, ask, answer):
                    yield "account_insights", row
        except InsightsError:
            yield from profile.take()  # it was answered, whatever the insights were refused for
            raise
        if wanted:
            yield from profile.fetch()
        inquiry.finish()

    def _asks(self, account_id: str) -> Iterator[Ask]:
        today = pacific_date(self.stamp.clock())
        for query in self.plan.series:
            for part, days in self._by_horizon(account_id, query, today):
                for chunk in chunks(days):
                    yield _ask(account_id, part, chunk, today)
        for query in self.plan.totals:
            for part, days in self._by_horizon(account_id, query, today):
                for day in days:
                    yield _ask(account_id, part, (day,), today)
        if self.current:
            for query in self.plan.snapshots:
                yield Ask(query=query, group=GROUP, whom=f"account {account_id}", about=Span())

    def _by_horizon(
        self, account_id: str, query: InsightsQuery, today: date
    ) -> Iterator[tuple[InsightsQuery, tuple[date, ...]]]:
        """Yield the query cut by how far back its metrics reach; metrics with the same askable days share a request."""
        by_days: dict[tuple[date, ...], list[Metric]] = {}
        for metric in query.metrics:
            askable, too_old = split_by_horizon(self.days, metric.history_days or 0, today)
            if too_old:
                self.findings.note(
                    f"account {account_id}",
                    f"{metric.name} before {askable[0] if askable else today}",
                    "BeyondHistory",
                    f"Meta keeps it for {metric.history_days} days; {len(too_old)} older days were not asked for.",
                )
            by_days.setdefault(askable, []).append(metric)
        for days, metrics in by_days.items():
            names = {metric.name for metric in metrics}
            part = query.without(name for name in query.names if name not in names)
            # The oldest day stands alone: should Meta refuse it already, the others are not refused with it.
            alone = 1 if days and _is_oldest(days, metrics, today) else 0
            for stretch in (days[:alone], days[alone:]):
                if stretch and part:
                    yield part, stretch

    def _build(self, account_id: str, ask: Ask) -> GraphRequest:
        params = spell_insights(ask.query)
        if ask.about.days:
            since, until = request_window(ask.about.days[0], ask.about.days[-1])
            params |= {"since": str(since), "until": str(until)}
        return GraphRequest(f"{account_id}/insights", params, Subject("account", account_id))

    def _rows(self, account_id: str, ask: Ask, answer: Answer) -> Iterator[Row]:
        reading = self.stamp.read_now()
        metrics = {metric.name: metric for metric in ask.query.metrics}
        wanted = set(ask.about.days)
        common = {
            "account_id": account_id,
            "api_version": answer.api_version,
            "fetched_at": reading.fetched_at,
            "run_id": self.stamp.run_id,
        }
        for entry in answer.body.get("data") or ():
            name = entry.get("name", "")
            metric = metrics.get(name)
            dimension = metric.map_dimension if metric else ""
            for number in read_numbers(entry, map_dimension=dimension):
                if not number.breakdown and name not in ask.query.totals:
                    continue
                dated = _date(number, ask.about.days, reading.snapshot_date)
                if wanted and dated["metric_date"] not in wanted:
                    continue
                yield (
                    common
                    | dated
                    | {
                        "metric": name,
                        "period": entry.get("period") or ask.query.period,
                        "timeframe": number.timeframe,
                        "breakdown": number.breakdown,
                        "breakdown_value": number.breakdown_value,
                        "value": number.value,
                    }
                )


def _is_oldest(days: tuple[date, ...], metrics: Iterable[Metric], today: date) -> bool:
    """Return whether the first day is the last that Meta keeps of a metric: it is gone at some hour of today."""
    return any(split_by_horizon(days[:1], (metric.history_days or 0) - 1, today)[1] for metric in metrics)


def _ask(account_id: str, query: InsightsQuery, days: tuple[date, ...], today: date) -> Ask:
    """Return the question about these days. A refusal of the oldest day is its own: no other learns from it."""
    whom = f"account {account_id}"
    if _is_oldest(days, query.metrics, today):
        return Ask(query=query, group=OLDEST, whom=f"{whom} on {days[0]}", about=Span(days))
    return Ask(query=query, group=GROUP, whom=whom, about=Span(days))


def _date(number: Number, days: tuple[date, ...], snapshot_date: date) -> Row:
    """Return the columns that say which day a number describes: its own, the one asked for, or that of the fetch."""
    if number.end_time:
        end_time, day = read_end_time(number.end_time)
        return {**_bound(day), "end_time": end_time}
    return _bound(days[0]) if days else {**_UNBOUND, "metric_date": snapshot_date}


@lru_cache(maxsize=1024)
def _bound(day: date) -> Row:
    start, end = pacific_day_bounds(day)
    window = {"window_start": format_instant(start), "window_end": format_instant(end)}
    return {"metric_date": day, "end_time": None, **window}
