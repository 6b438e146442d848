"""Group metrics into the fewest requests that Meta accepts: one per period, type, breakdown and timeframe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.media_metrics import FEED, MEDIA_METRICS, REELS, STORY
from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.offer import Offer
from airflow_provider_iginsights.catalog.selection import Breakdowns, MetricChoice, Metrics, select
from airflow_provider_iginsights.graph_api import Login, parse_version


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightsQuery:
    """Metrics that share one request.

    ``totals``: those whose number without breakdown is to be kept from this answer.
    """

    metrics: tuple[Metric, ...]
    period: str
    breakdown: str = ""
    timeframe: str = ""
    totals: frozenset[str] = frozenset()
    metric_type: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the metric names in request order."""
        return tuple(metric.name for metric in self.metrics)

    def without(self, names: Iterable[str]) -> InsightsQuery | None:
        """Return the query less these metrics, or None when nothing is left to ask."""
        dropped = set(names)
        kept = tuple(metric for metric in self.metrics if metric.name not in dropped)
        return replace(self, metrics=kept) if kept else None

    def split(self) -> Iterator[InsightsQuery]:
        """Yield one query per metric."""
        for metric in self.metrics:
            yield replace(self, metrics=(metric,))

    def of_totals(self, names: Iterable[str]) -> InsightsQuery | None:
        """Return a query without breakdown for those of the metrics whose total this one was to bring, or None."""
        wanted = self.totals.intersection(names) if self.breakdown else ()
        kept = tuple(metric for metric in self.metrics if metric.name in wanted)
        return replace(self, metrics=kept, breakdown="") if kept else None

    def join(self, other: InsightsQuery) -> InsightsQuery:
        """Return a query for the metrics of both; the rest is this one's."""
        return replace(self, metrics=self.metrics + other.metrics, totals=self.totals | other.totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """``series``: dated points of many days; ``totals``: one number per day asked; ``snapshots``: as of now."""

    series: tuple[InsightsQuery, ...]
    totals: tuple[InsightsQuery, ...]
    snapshots: tuple[InsightsQuery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlan:
    """``core``: asked inside the listing; ``extras``: further queries per media, by product type."""

    core: InsightsQuery | None
    extras: Mapping[str, tuple[InsightsQuery, ...]] = field(default_factory=dict)


def plan_account(metrics: Metrics, breakdowns: Breakdowns, *, version: str, login: Login) -> AccountPlan:
    """Plan an account's insights.

    :raises ConfigurationError: a metric or breakdown that this version or login does not offer.
    """
    choices = select(metrics, breakdowns, Offer(metrics=ACCOUNT_METRICS, version=version, login=login))
    typed = parse_version(version) >= (15, 0)  # metric_type came with v15.0
    dated = [choice for choice in choices if choice.metric.metric_type == "time_series" and choice.metric.history_days]
    undated = [
        choice for choice in choices if choice.metric.metric_type == "time_series" and not choice.metric.history_days
    ]
    with_series = {choice.metric.name for choice in dated if choice.period == "day"}
    summed = [choice for choice in choices if choice.metric.metric_type == "total_value" and choice.metric.history_days]
    # META-08: demographics have no past, so they are asked once per run and not once per day.
    standing = [
        choice for choice in choices if choice.metric.metric_type == "total_value" and not choice.metric.history_days
    ]
    return AccountPlan(
        series=_grouped(dated, metric_type="time_series" if typed else None),
        totals=_group_apart(summed, metric_type="total_value", without_total=with_series),
        snapshots=_grouped(standing, metric_type="total_value") + _grouped(undated, metric_type=None),
    )


def plan_media(metrics: Metrics, breakdowns: Breakdowns, *, version: str, login: Login) -> MediaPlan:
    """Plan the insights of posts and reels.

    :raises ConfigurationError: a metric or breakdown that this version or login does not offer for posts and reels.
    """
    return _plan_lifetime(
        metrics, breakdowns, Offer(metrics=MEDIA_METRICS, version=version, login=login, product_types=(FEED, REELS))
    )


def plan_story(metrics: Metrics, breakdowns: Breakdowns, *, version: str, login: Login) -> MediaPlan:
    """Plan the insights of stories.

    :raises ConfigurationError: a metric or breakdown that this version or login does not offer for stories.
    """
    return _plan_lifetime(
        metrics, breakdowns, Offer(metrics=MEDIA_METRICS, version=version, login=login, product_types=(STORY,))
    )


def _plan_lifetime(metrics: Metrics, breakdowns: Breakdowns, offer: Offer) -> MediaPlan:
    choices = select(metrics, breakdowns, offer)
    core = [choice for choice in choices if _is_core(choice, offer.product_types)]
    queries = _grouped(core)
    return MediaPlan(
        core=queries[0] if queries else None,
        extras={
            product_type: _group_apart(
                [choice for choice in choices if choice not in core and product_type in choice.metric.product_types]
            )
            for product_type in offer.product_types
        },
    )


def _is_core(choice: MetricChoice, product_types: tuple[str, ...]) -> bool:
    metric = choice.metric
    shared = set(product_types) <= set(metric.product_types)
    return shared and not choice.breakdowns and not metric.alone and metric.selection == "default"


def _group_apart(
    choices: list[MetricChoice], *, metric_type: str | None = None, without_total: Iterable[str] = ()
) -> tuple[InsightsQuery, ...]:
    """Return queries as :func:`_grouped` does, but those that are better asked ``alone`` share none."""
    group = partial(_grouped, metric_type=metric_type, without_total=without_total)
    together = group([choice for choice in choices if not choice.metric.alone])
    return together + tuple(query for choice in choices if choice.metric.alone for query in group([choice]))


def _grouped(
    choices: Iterable[MetricChoice], *, metric_type: str | None = None, without_total: Iterable[str] = ()
) -> tuple[InsightsQuery, ...]:
    """Return one query per period, breakdown and timeframe; a total is kept from the first query that carries it.

    :param without_total: metrics whose total comes from elsewhere (a series), so that they are asked for their
        breakdowns only.
    """
    elsewhere = set(without_total)
    metrics: defaultdict[tuple[str, str, str], list[Metric]] = defaultdict(list)
    totals: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for choice in choices:
        metric = choice.metric
        breakdowns = choice.breakdowns or (() if metric.name in elsewhere else ("",))
        for position, breakdown in enumerate(breakdowns):
            key = (choice.period, breakdown, choice.timeframe)
            metrics[key].append(metric)
            # An answer with a breakdown also carries the total, so one of the requests is enough for it.
            if position == 0 and not metric.needs_breakdown and metric.name not in elsewhere:
                totals[key].add(metric.name)
    return tuple(
        InsightsQuery(
            metrics=tuple(group),
            period=key[0],
            breakdown=key[1],
            timeframe=key[2],
            totals=frozenset(totals[key]),
            metric_type=metric_type,
        )
        for key, group in metrics.items()
    )
