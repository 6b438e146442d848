"""From what the user asked for (``metrics``, ``breakdowns``) to rows of the metric tables, or a clear refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from airflow_provider_iginsights.catalog.metrics import Login, Metric
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.quoting import quote_value

Metrics = str | Sequence[str] | None
Breakdowns = Mapping[str, Sequence[str]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One metric as it will be asked: ``breakdowns`` may be empty, ``timeframe`` is ``''`` outside demographics."""

    metric: Metric
    period: str
    timeframe: str
    breakdowns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What can be chosen from: a metric table narrowed to product types, a login and a pinned version."""

    metrics: tuple[Metric, ...]
    version: str
    login: Login
    product_types: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Metric]:
        """Yield the metrics that this login and version answer."""
        return (metric for metric in self.metrics if self.refusal(metric) is None)

    def refusal(self, metric: Metric) -> str | None:
        """Return why the metric cannot be asked here, as a sentence, or None."""
        if metric.selection == "never":
            return f"The metric {metric.name!r} belongs to Threads, not to Instagram insights. Remove it."
        if self.product_types and not set(self.product_types) & set(metric.product_types):
            return (
                f"The metric {metric.name!r} exists for {_listed(metric.product_types)} media only, and this operator "
                f"reads {_listed(self.product_types)} media. Ask for it with the operator of that media, or remove it."
            )
        if not metric.lives_in(self.version):
            return self._absence(metric)
        if self.login not in metric.logins:
            return (
                f"The metric {metric.name!r} is offered with Facebook Login (graph.facebook.com) only, and this "
                "connection uses Instagram Login (graph.instagram.com). Remove it, or connect with Facebook Login."
            )
        return None

    def _absence(self, metric: Metric) -> str:
        if metric.retired or metric.removed_on:
            cure = f"Ask for {metric.successor} instead." if metric.successor else "It has no successor: remove it."
            return f"Meta retired the metric {metric.name!r}; API version {self.version} does not answer it. {cure}"
        return (
            f"The metric {metric.name!r} came with {metric.introduced}; API version {self.version} does not know it. "
            "Pin a newer api_version."
        )


def select(metrics: Metrics, breakdowns: Breakdowns, offer: Offer) -> tuple[Choice, ...]:
    """Return the choices for ``metrics`` (None = the default set, ``"all"``, names) and ``breakdowns`` per metric.

    A name may carry what Meta's insight ids carry: ``reach/days_28`` (a period) or ``follower_demographics/this_week``
    (a timeframe).

    :raises ConfigurationError: an unknown, retired or misplaced metric, period, timeframe or breakdown.
    """
    chosen = tuple(_by_name(metrics, offer) if _names(metrics) else _by_selection(metrics, offer))
    known = {metric.name for metric, _ in chosen}
    for name in breakdowns or {}:
        if name not in known:
            raise ConfigurationError(
                f"breakdowns names the metric {quote_value(name)}, which is not among the metrics asked for. "
                "Add it to metrics or remove it."
            )
    return tuple(_choice(metric, qualifier, breakdowns) for metric, qualifier in chosen)


def _names(metrics: Metrics) -> bool:
    return metrics is not None and metrics not in ("all", ["all"], ("all",))


def _by_selection(metrics: Metrics, offer: Offer) -> Iterator[tuple[Metric, str]]:
    wanted = ("default",) if metrics is None else ("default", "all")
    for metric in offer:
        if metric.selection in wanted:
            for period in metric.periods if metrics else metric.periods[:1]:
                yield metric, period


def _by_name(metrics: Metrics, offer: Offer) -> Iterator[tuple[Metric, str]]:
    names = [metrics] if isinstance(metrics, str) else list(metrics or ())
    if not names:
        raise ConfigurationError(
            'metrics is an empty list: there is nothing to fetch. Leave it out for the default set or use "all".'
        )
    for written in dict.fromkeys(names):
        name, _, qualifier = written.strip().partition("/")
        forms = [metric for metric in offer.metrics if metric.name == name]
        if not forms:
            raise ConfigurationError(_unknown(name, offer))
        live = [metric for metric in forms if offer.refusal(metric) is None]
        if not live:
            raise ConfigurationError(offer.refusal(_closest(forms, offer)) or "")
        yield from _qualified(live, qualifier, written)


def _closest(forms: Sequence[Metric], offer: Offer) -> Metric:
    """Return the form whose refusal tells most: one that exists for these product types before one that does not."""
    fitting = [
        metric for metric in forms if not offer.product_types or set(offer.product_types) & set(metric.product_types)
    ]
    return (fitting or list(forms))[-1]


def _qualified(forms: Iterable[Metric], qualifier: str, written: str) -> Iterator[tuple[Metric, str]]:
    forms = list(forms)
    fitting = [form for form in forms if not qualifier or qualifier in (*form.periods, *form.timeframes)]
    if not fitting:
        offered = sorted({name for form in forms for name in (*form.periods, *form.timeframes)})
        raise ConfigurationError(
            f"{quote_value(written)} asks for {quote_value(qualifier)}, which Meta does not offer for this metric. "
            f"Choose one of {_listed(offered)}."
        )
    for form in fitting:
        yield form, qualifier or form.periods[0]


def _choice(metric: Metric, qualifier: str, breakdowns: Breakdowns) -> Choice:
    asked = metric.default_breakdowns
    if breakdowns is not None and metric.name in breakdowns and metric.metric_type != "time_series":
        asked = tuple(_checked(metric, breakdown) for breakdown in breakdowns[metric.name])
    if metric.needs_breakdown and not asked:
        asked = metric.default_breakdowns
    timeframe = qualifier if qualifier in metric.timeframes else next(iter(metric.timeframes), "")
    period = qualifier if qualifier in metric.periods else metric.periods[0]
    return Choice(metric=metric, period=period, timeframe=timeframe, breakdowns=asked)


def _checked(metric: Metric, breakdown: str) -> str:
    dimensions = [dimension.strip() for dimension in breakdown.split(",")]
    strangers = [dimension for dimension in dimensions if dimension not in metric.breakdowns]
    if strangers or not breakdown.strip():
        offered = f"It offers {_listed(metric.breakdowns)}." if metric.breakdowns else "It offers none."
        raise ConfigurationError(
            f"The metric {metric.name!r} cannot be broken down by {quote_value(breakdown)}. {offered}"
        )
    return ",".join(dimensions)


def _unknown(name: str, offer: Offer) -> str:
    close = get_close_matches(name, {metric.name for metric in offer}, n=3)
    hint = f"Did you mean {_listed(close)}?" if close else "The README lists the names that Meta offers."
    return f"There is no metric named {quote_value(name)}. {hint}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
