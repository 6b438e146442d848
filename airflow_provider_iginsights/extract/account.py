"""An account's numbers in batches: dated series, totals of each day, snapshots of its audience, and its profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.plan import AccountPlan, InsightsQuery
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.batched_insights import BatchedInsights
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.no_data import AnsweredMetrics, NoDataMetrics
from airflow_provider_iginsights.extract.open_questions import (
    ExhaustedRetries,
    QuestionParameters,
    Unanswered,
    select_open,
)
from airflow_provider_iginsights.extract.profile import ProfileRequest
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refusals import Refusals
from airflow_provider_iginsights.extract.refused_fields import RefusedFields
from airflow_provider_iginsights.extract.request_params import spell_insights
from airflow_provider_iginsights.extract.rows import (
    Number,
    Row,
    TableRow,
    Tell,
    describe,
    find_missing_half,
    format_instant,
    is_pacific_midnight,
    keep_distinct,
    name_group,
    read_end_time,
    read_entries,
    read_numbers,
)
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_object
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
_NEAR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class DayRange:
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
    provenance: Provenance
    left_out_log: LeftOutLog
    refusals: Refusals
    silences: NoDataMetrics = field(default_factory=NoDataMetrics)
    troubles: ExhaustedRetries = field(default_factory=ExhaustedRetries)
    fields: RefusedFields = field(default_factory=RefusedFields)
    current: bool = True
    profiles: bool = True

    def read(self, account_id: str, open_questions: Sequence[QuestionParameters] | None = None) -> Iterator[TableRow]:
        """Yield ``(table, row)`` for one account: tables ``account_insights`` and ``accounts``.

        :param open_questions: ask only these, which an earlier reading left open.
        :raises InsightsError: see :meth:`Inquiry.ask`; ``AccountUnavailable`` where the token cannot see the account.
        :raises Unanswered: after the last row, what trouble at Meta left open.
        """
        answered = AnsweredMetrics(account_id=account_id, left_out_log=self.left_out_log, silences=self.silences)
        followers: int | None = None
        troubles = self.troubles.open_account(account_id, again=open_questions is not None)
        profile = ProfileRequest(
            client=self.client,
            account_id=account_id,
            provenance=self.provenance,
            left_out_log=self.left_out_log,
            fields=self.fields,
            troubles=troubles,
        )
        wanted = self.profiles and self.current
        asks = self._asks(account_id)
        if open_questions is not None:
            wanted = any("profile" in again for again in open_questions)
            asks = _select(asks, open_questions)
        insights = BatchedInsights(
            client=profile if wanted else self.client,
            account_id=account_id,
            build=lambda ask: self._build(account_id, ask),
            refusals=self.refusals.open_account(),
            left_out_log=self.left_out_log,
            troubles=troubles,
            pack=lambda ask: {"days": [day.isoformat() for day in ask.about.days]},
            must_answer=True,
        )
        try:
            for ask, answer in insights.ask(asks):
                for table, row in profile.take():
                    followers = row.get("followers_count")
                    yield table, row
                for row in self._rows(answered, ask, answer):
                    yield "account_insights", row
        except InsightsError:
            yield from profile.take()  # it was answered, whatever the insights were refused for
            raise
        for table, row in profile.fetch() if wanted else ():
            followers = row.get("followers_count")
            yield table, row
        questions = (*profile.questions, *insights.finish())
        answered.tell(now=self.provenance.clock(), followers=followers)
        if questions:
            raise Unanswered(questions)

    def _asks(self, account_id: str) -> Iterator[InsightsRequest]:
        today = pacific_date(self.provenance.clock())
        self._note_history(account_id, today)
        for query in self.plan.series:
            for part, days in self._by_horizon(query, today):
                for chunk in chunks(days):
                    yield _ask(account_id, part, chunk, today)
        for query in self.plan.totals:
            for part, days in self._by_horizon(query, today):
                for day in days:
                    yield _ask(account_id, part, (day,), today)
        if self.current:
            for query in self.plan.snapshots:
                yield InsightsRequest(query=query, group=GROUP, whom=f"account {account_id}", about=DayRange())

    def _note_history(self, account_id: str, today: date) -> None:
        """Note the days that Meta no longer keeps: once for all metrics that share them."""
        too_old: dict[tuple[date, ...], dict[str, int]] = {}
        asked = {metric for query in (*self.plan.series, *self.plan.totals) for metric in query.metrics}
        for metric in sorted(asked, key=lambda each: each.name):
            history = metric.history_days or 0
            if days := split_by_horizon(self.days, history, today)[1]:
                too_old.setdefault(days, {})[metric.name] = history
        for days, metrics in too_old.items():
            is_all = len(metrics) == len({metric.name for metric in asked}) > 1
            names = "all metrics" if is_all else ", ".join(metrics)
            kept = " or ".join(map(str, sorted(set(metrics.values()))))
            self.left_out_log.note(
                f"account {account_id}",
                f"{names} on {days[0]}" if len(days) == 1 else f"{names} from {days[0]} to {days[-1]}",
                "BeyondHistory",
                f"Meta keeps account insights for {kept} days; these {len(days)} days were not asked for.",
            )

    def _by_horizon(self, query: InsightsQuery, today: date) -> Iterator[tuple[InsightsQuery, tuple[date, ...]]]:
        """Yield the query cut by how far back its metrics reach; metrics with the same askable days share a request."""
        by_days: dict[tuple[date, ...], list[Metric]] = {}
        for metric in query.metrics:
            askable, _ = split_by_horizon(self.days, metric.history_days or 0, today)
            by_days.setdefault(askable, []).append(metric)
        for days, metrics in by_days.items():
            names = {metric.name for metric in metrics}
            part = query.without(name for name in query.names if name not in names)
            # The oldest day stands alone: should Meta refuse it already, the others are not refused with it.
            alone = 1 if days and _is_oldest(days, metrics, today) else 0
            for stretch in (days[:alone], days[alone:]):
                if stretch and part:
                    yield part, stretch

    def _build(self, account_id: str, ask: InsightsRequest) -> GraphRequest:
        params = spell_insights(ask.query)
        if ask.about.days:
            since, until = request_window(ask.about.days[0], ask.about.days[-1])
            params |= {"since": str(since), "until": str(until)}
        return GraphRequest(f"{account_id}/insights", params, Subject("account", account_id))

    def _rows(self, answered: AnsweredMetrics, ask: InsightsRequest, answer: Answer) -> list[Row]:
        """Return the rows of one answer; what is left out of it is noted."""
        reading = self.provenance.read_now()
        common = {
            "account_id": answered.account_id,
            "api_version": answer.api_version,
            "fetched_at": reading.fetched_at,
            "run_id": self.provenance.run_id,
        }
        answered.ask(ask.query, ask.about.days)
        known = {"account_id": (answered.account_id,), "metric_date": ask.about.days or (reading.snapshot_date,)}
        group = name_group(ask.query.breakdown, period=(ask.query.period,), **known)
        tell = partial(self.left_out_log.note_unread, f"account {answered.account_id}", group=group)
        return keep_distinct(self._read_answer(answered, ask, answer, common, reading.snapshot_date, tell), tell)

    def _read_answer(
        self, answered: AnsweredMetrics, ask: InsightsRequest, answer: Answer, common: Row, today: date, tell: Tell
    ) -> Iterator[tuple[object, Row]]:
        """Yield the rows with their keys."""
        query, days = ask.query, ask.about.days
        metrics = {metric.name: metric for metric in query.metrics}
        data = (read_object(answer.body) or {}).get("data")
        for name, entry in read_entries(data, names=metrics, tell=tell):
            metric, faults = metrics[name], list[str]()
            period = entry.get("period")
            if period is not None and period != query.period:
                tell(name, "Unreadable", f"its period is not {query.period}, for which it was asked.")
                answered.hear(query, metric, days)
                continue
            numbers = read_numbers(entry, map_dimension=metric.map_dimension, asked=query.breakdown, tell=faults.append)
            for why in faults:
                tell(name, "Unreadable", why)
                answered.hear(query, metric, days)
            if half := find_missing_half(entry, numbers, asked=query.breakdown, wants_total=name in query.totals):
                self.left_out_log.note_silence(f"account {answered.account_id}", *half)
            for number in numbers:
                dated = self._date(number, name, days, today, answered, tell)
                answered.hear(query, metric, (dated["metric_date"],) if dated and days else days)
                if dated and (number.breakdown or name in query.totals):
                    key = (name, number.breakdown, number.breakdown_value, number.timeframe, dated["metric_date"])
                    columns = {"metric": name, "period": query.period, "timeframe": number.timeframe}
                    columns |= {"breakdown": number.breakdown, "breakdown_value": number.breakdown_value}
                    yield key, common | dated | columns | {"value": number.value}

    def _date(
        self, number: Number, name: str, days: tuple[date, ...], today: date, answered: AnsweredMetrics, tell: Tell
    ) -> Row | None:
        """Return the columns that say which day a number describes, or None where nothing says it.

        Its own end_time does; without one the question does, if it was about one day; a snapshot is of ``today``.
        """
        if number.end_time is None:
            if len(days) > 1:
                tell(name, "Undated", f"a number has no end_time, and {len(days)} days were asked for.")
                return None
            return _bound(days[0]) if days else {**_UNBOUND, "metric_date": today}
        dated = read_end_time(number.end_time)
        if dated is None:
            tell(name, "Undated", f"its end_time is {describe(number.end_time)} and no date with its offset from UTC.")
            return None
        (end_time, day), is_midnight = dated, is_pacific_midnight(number.end_time)
        if days and day not in days:
            # Meta adds the running day, and may add a neighbour; what lies further away answers another question.
            if not is_midnight or not days[0] - _NEAR <= day <= days[-1] + _NEAR:
                tell(name, "Undated", f"its end_time {end_time} belongs to a Pacific date that was not asked for.")
            return None
        if not is_midnight:
            why = "Meta's end_time is no Pacific midnight; the numbers are stored under its Pacific date."
            self.left_out_log.remark(f"account {answered.account_id}", name, why)
        return {**_bound(day), "end_time": end_time}


def _select(asks: Iterable[InsightsRequest], open_questions: Sequence[QuestionParameters]) -> Iterator[InsightsRequest]:
    """Yield what is left of the questions. On another day they are cut otherwise: those that share a day count."""
    for ask in asks:
        days = {day.isoformat() for day in ask.about.days}
        about = [again for again in open_questions if not days.isdisjoint(again.get("days") or ()) or not days]
        for query in select_open(ask.query, about, of=len(open_questions)):
            yield replace(ask, query=query)


def _is_oldest(days: tuple[date, ...], metrics: Iterable[Metric], today: date) -> bool:
    """Return whether the first day is the last that Meta keeps of a metric: it is gone at some hour of today."""
    return any(split_by_horizon(days[:1], (metric.history_days or 0) - 1, today)[1] for metric in metrics)


def _ask(account_id: str, query: InsightsQuery, days: tuple[date, ...], today: date) -> InsightsRequest:
    """Return the question about these days. A refusal of the oldest day is its own: no other learns from it."""
    whom = f"account {account_id}"
    if _is_oldest(days, query.metrics, today):
        return InsightsRequest(query=query, group=OLDEST, whom=f"{whom} on {days[0]}", about=DayRange(days))
    return InsightsRequest(query=query, group=GROUP, whom=whom, about=DayRange(days))


@lru_cache(maxsize=1024)
def _bound(day: date) -> Row:
    start, end = pacific_day_bounds(day)
    window = {"window_start": format_instant(start), "window_end": format_instant(end)}
    return {"metric_date": day, "end_time": None, **window}
