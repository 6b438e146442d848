"""Reads the numbers of an account in batches: dated series, totals of each day, snapshots, the profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.plan import AccountPlan, InsightsQuery
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.account_requests import (
    ACCOUNT_GROUP,
    DayRange,
    is_oldest,
    make_request,
    select_requests,
)
from airflow_provider_iginsights.extract.batched_insights import BatchedInsights
from airflow_provider_iginsights.extract.circuit_breaker import CircuitBreaker
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.no_data import AnsweredMetrics, NoDataMetrics
from airflow_provider_iginsights.extract.profile import ProfileRequest
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refused_fields import RefusedFields
from airflow_provider_iginsights.extract.refused_metrics import RefusedMetrics
from airflow_provider_iginsights.extract.request_params import format_insights_params
from airflow_provider_iginsights.extract.rows import (
    NoteFault,
    Number,
    Row,
    TableRow,
    describe,
    find_missing_half,
    is_pacific_midnight,
    keep_distinct,
    name_group,
    read_end_time,
    read_entries,
    read_numbers,
)
from airflow_provider_iginsights.extract.unanswered import (
    IncompleteAccount,
    RepeatParameters,
)
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_object
from airflow_provider_iginsights.pacific import (
    format_instant,
    pacific_date,
    pacific_day_bounds,
    request_window,
    split_by_history,
    split_into_requests,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

_NO_WINDOW: Row = dict.fromkeys(("end_time", "window_start", "window_end"))
_NEIGHBOURS = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReader:
    """Reads accounts for one window.

    ``days``: closed Pacific days, ascending; ``current``: read snapshots (audience, profile), too; ``page_ids``: id of
    an account -> id of the Page through which it was found.
    """

    client: GraphClient
    plan: AccountPlan
    days: tuple[date, ...]
    provenance: Provenance
    left_out_log: LeftOutLog
    refused_metrics: RefusedMetrics
    no_data: NoDataMetrics = field(default_factory=NoDataMetrics)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    refused_fields: RefusedFields = field(default_factory=RefusedFields)
    current: bool = True
    profiles: bool = True
    page_ids: Mapping[str, str] = field(default_factory=dict)

    def read(self, account_id: str, unanswered: Sequence[RepeatParameters] | None = None) -> Iterator[TableRow]:
        """Yield ``(table, row)`` for one account: tables ``account_insights`` and ``accounts``.

        :param unanswered: send only these requests, which Meta did not answer before.
        :raises InsightsError: see :meth:`BatchedInsights.read`; ``AccountUnavailable`` where the token cannot see the
            account.
        :raises IncompleteAccount: after the last row, where a server error left requests unanswered.
        """
        answered = AnsweredMetrics(account_id=account_id, left_out_log=self.left_out_log, no_data=self.no_data)
        followers: int | None = None
        breaker = self.breaker.open_account(account_id, is_repeat=unanswered is not None)
        profile = ProfileRequest(
            client=self.client,
            account_id=account_id,
            provenance=self.provenance,
            left_out_log=self.left_out_log,
            refused_fields=self.refused_fields,
            breaker=breaker,
            page_id=self.page_ids.get(account_id),
        )
        wanted = self.profiles and self.current
        requests = self._plan_requests(account_id)
        if unanswered is not None:
            wanted = any("profile" in repeat for repeat in unanswered)
            requests = select_requests(requests, unanswered)
        insights = BatchedInsights(
            client=self.client,
            account_id=account_id,
            build=lambda request: self._build(account_id, request),
            refused_metrics=self.refused_metrics.open_account(),
            left_out_log=self.left_out_log,
            breaker=breaker,
            describe_scope=lambda request: {"days": [day.isoformat() for day in request.scope.days]},
            must_answer=True,
            first=profile if wanted else None,
        )
        try:
            for request, answer in insights.read(requests):
                for table, row in profile.take():
                    followers = row.get("followers_count")
                    yield table, row
                for row in self._make_rows(answered, request, answer):
                    yield "account_insights", row
        except InsightsError:
            yield from profile.take()  # The profile has arrived, and it is stored whatever happened to the insights.
            raise
        for table, row in profile.fetch() if wanted else ():
            followers = row.get("followers_count")
            yield table, row
        left = (*profile.unanswered, *insights.finish())
        answered.note_missing(now=self.provenance.clock(), followers=followers)
        if left:
            raise IncompleteAccount(left)

    def _plan_requests(self, account_id: str) -> Iterator[InsightsRequest]:
        today = pacific_date(self.provenance.clock())
        self._note_history(account_id, today)
        for query in self.plan.series:
            for part, days in self._split_by_history(query, today):
                for request_days in split_into_requests(days):
                    yield make_request(account_id, part, request_days, today)
        for query in self.plan.totals:
            for part, days in self._split_by_history(query, today):
                for day in days:  # META-03: a total covers its whole window and has no date.
                    yield make_request(account_id, part, (day,), today)
        if self.current:  # META-08: demographics are always as of now, so a run over old days does not request them.
            for query in self.plan.snapshots:
                yield InsightsRequest(query=query, group=ACCOUNT_GROUP, whom=f"account {account_id}", scope=DayRange())

    def _note_history(self, account_id: str, today: date) -> None:
        """Note the days that Meta no longer keeps, once for all metrics with the same days."""
        # META-05, META-06: requests for these days would be refused, together with the other days.
        too_old: dict[tuple[date, ...], dict[str, int]] = {}
        requested = {metric for query in (*self.plan.series, *self.plan.totals) for metric in query.metrics}
        for metric in sorted(requested, key=lambda each: each.name):
            history = metric.history_days or 0
            if days := split_by_history(self.days, history, today)[1]:
                too_old.setdefault(days, {})[metric.name] = history
        for days, metrics in too_old.items():
            is_all = len(metrics) == len({metric.name for metric in requested}) > 1
            names = "all metrics" if is_all else ", ".join(metrics)
            kept = " or ".join(map(str, sorted(set(metrics.values()))))
            self.left_out_log.note(
                f"account {account_id}",
                f"{names} on {days[0]}" if len(days) == 1 else f"{names} from {days[0]} to {days[-1]}",
                "BeyondHistory",
                f"Meta keeps account insights for {kept} days; these {len(days)} days were not requested.",
            )

    def _split_by_history(self, query: InsightsQuery, today: date) -> Iterator[tuple[InsightsQuery, tuple[date, ...]]]:
        """Yield parts of the query with the days that Meta still has; metrics with the same days share a request."""
        by_days: dict[tuple[date, ...], list[Metric]] = {}
        for metric in query.metrics:
            available, _ = split_by_history(self.days, metric.history_days or 0, today)
            by_days.setdefault(available, []).append(metric)
        for days, metrics in by_days.items():
            names = {metric.name for metric in metrics}
            part = query.without(name for name in query.names if name not in names)
            # META-05: Meta may refuse the oldest day already, and a refusal holds for all days of a request.
            single = 1 if days and is_oldest(days, metrics, today) else 0
            for some in (days[:single], days[single:]):
                if some and part:
                    yield part, some

    def _build(self, account_id: str, request: InsightsRequest) -> GraphRequest:
        params = format_insights_params(request.query)
        if request.scope.days:
            since, until = request_window(request.scope.days[0], request.scope.days[-1])
            params |= {"since": str(since), "until": str(until)}
        return GraphRequest(f"{account_id}/insights", params, Subject("account", account_id))

    def _make_rows(self, answered: AnsweredMetrics, request: InsightsRequest, answer: Answer) -> list[Row]:
        """Return the rows of one answer; values that cannot be read are noted."""
        fetch_time = self.provenance.read_now()
        common = {
            "account_id": answered.account_id,
            "api_version": answer.api_version,
            "fetched_at": fetch_time.fetched_at,
            "run_id": self.provenance.run_id,
        }
        answered.record_request(request.query, request.scope.days)
        known = {"account_id": (answered.account_id,), "metric_date": request.scope.days or (fetch_time.snapshot_date,)}
        group = name_group(request.query.breakdown, period=(request.query.period,), **known)
        whom, raw = f"account {answered.account_id}", (read_object(answer.body) or {}).get("data")
        note = partial(self.left_out_log.note_unreadable, whom, group=group, raw=raw)
        return keep_distinct(self._read_answer(answered, request, answer, common, fetch_time.snapshot_date, note), note)

    def _read_answer(
        self,
        answered: AnsweredMetrics,
        request: InsightsRequest,
        answer: Answer,
        common: Row,
        today: date,
        note: NoteFault,
    ) -> Iterator[tuple[object, Row]]:
        """Yield the rows of one answer with their keys, which may repeat."""
        query, days = request.query, request.scope.days
        metrics = {metric.name: metric for metric in query.metrics}
        data = (read_object(answer.body) or {}).get("data")
        for name, entry in read_entries(data, names=metrics, note=note):
            metric, faults = metrics[name], list[str]()
            period = entry.get("period")
            if period is not None and period != query.period:
                note(name, "Unreadable", f"its period is not {query.period}, which was requested.")
                answered.record_answer(query, metric, days)
                continue
            numbers = read_numbers(
                entry, map_dimension=metric.map_dimension, requested=query.breakdown, note=faults.append
            )
            for why in faults:
                note(name, "Unreadable", why)
                answered.record_answer(query, metric, days)
            if half := find_missing_half(entry, numbers, requested=query.breakdown, wants_total=name in query.totals):
                self.left_out_log.note_no_data(f"account {answered.account_id}", *half)
            answered_days: set[date] | None = None
            for number in numbers:
                dated = self._read_day(number, name, days, today, answered, note)
                if dated and days and dated["metric_date"] not in days:
                    continue  # A neighbouring day, which is no answer to this request.
                answered_days = answered_days or set()
                answered_days.update((dated["metric_date"],) if dated and days else days)
                if dated and (number.breakdown or name in query.totals):
                    key = (name, number.breakdown, number.breakdown_value, number.timeframe, dated["metric_date"])
                    yield (
                        key,
                        {
                            **common,
                            **dated,
                            "metric": name,
                            "period": query.period,
                            "timeframe": number.timeframe,
                            "breakdown": number.breakdown,
                            "breakdown_value": number.breakdown_value,
                            "value": number.value,
                        },
                    )
            if answered_days is not None:
                answered.record_answer(query, metric, answered_days)

    def _read_day(
        self, number: Number, name: str, days: tuple[date, ...], today: date, answered: AnsweredMetrics, note: NoteFault
    ) -> Row | None:
        """Return the columns that say which day a number is about, or None where nothing says it.

        The day is that of the number's end_time; without one, the only day of the request; for a snapshot, ``today``.
        It may be a neighbour of the requested days: Meta adds the running day, and may add others.
        """
        if number.end_time is None:
            if len(days) > 1:
                note(name, "Undated", f"a number has no end_time, and {len(days)} days were requested.")
                return None
            return _describe_day(days[0]) if days else {**_NO_WINDOW, "metric_date": today}
        dated = read_end_time(number.end_time)
        if dated is None:
            note(name, "Undated", f"its end_time is {describe(number.end_time)} and no date with its offset from UTC.")
            return None
        (end_time, day), is_midnight = dated, is_pacific_midnight(number.end_time)
        is_near = is_midnight and days and days[0] - _NEIGHBOURS <= day <= days[-1] + _NEIGHBOURS
        if days and day not in days and not is_near:
            note(name, "Undated", f"its end_time {end_time} belongs to a Pacific date that was not requested.")
            return None
        if not is_midnight:
            why = "Meta's end_time is no Pacific midnight; the numbers are stored under its Pacific date."
            self.left_out_log.remark(f"account {answered.account_id}", name, why)
        return {**_describe_day(day), "end_time": end_time}


@lru_cache(maxsize=1024)
def _describe_day(day: date) -> Row:
    start, end = pacific_day_bounds(day)
    window = {"window_start": format_instant(start), "window_end": format_instant(end)}
    return {"metric_date": day, "end_time": None, **window}
