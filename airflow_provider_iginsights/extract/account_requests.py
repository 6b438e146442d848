"""The requests for an account's insights: which days each one is about, and which of them were not answered before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.unanswered import RepeatParameters, select_unanswered
from airflow_provider_iginsights.pacific import split_by_history

ACCOUNT_GROUP = "account"
OLDEST_DAY_GROUP = "account on the oldest day"


@dataclass(frozen=True, slots=True)
class DayRange:
    """The Pacific days of one request, ascending; empty for a snapshot."""

    days: tuple[date, ...] = ()

    def __str__(self) -> str:
        """Return the days for a message."""
        return f"{self.days[0]} to {self.days[-1]}" if self.days else "now"


def select_requests(
    requests: Iterable[InsightsRequest], unanswered: Sequence[RepeatParameters]
) -> Iterator[InsightsRequest]:
    """Yield the parts of the planned requests that were not answered."""
    # On another day the plan may divide the days in another way, so requests with a day in common are compared.
    for request in requests:
        days = {day.isoformat() for day in request.scope.days}
        same_days = [repeat for repeat in unanswered if not days.isdisjoint(repeat.get("days") or ()) or not days]
        for query in select_unanswered(request.query, same_days, total=len(unanswered)):
            yield replace(request, query=query)


def is_oldest(days: tuple[date, ...], metrics: Iterable[Metric], today: date) -> bool:
    """Return whether the first day is the oldest that Meta keeps of a metric: Meta deletes it at some hour of today."""
    return any(split_by_history(days[:1], (metric.history_days or 0) - 1, today)[1] for metric in metrics)


def make_request(account_id: str, query: InsightsQuery, days: tuple[date, ...], today: date) -> InsightsRequest:
    """Return the request for these days. The oldest day is a group of its own: Meta may refuse it for its age."""
    whom = f"account {account_id}"
    if is_oldest(days, query.metrics, today):
        return InsightsRequest(query=query, group=OLDEST_DAY_GROUP, whom=f"{whom} on {days[0]}", scope=DayRange(days))
    return InsightsRequest(query=query, group=ACCOUNT_GROUP, whom=whom, scope=DayRange(days))
