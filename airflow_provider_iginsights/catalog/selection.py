"""From what the user asked for (``metrics``, ``breakdowns``) to rows of the metric tables, or a clear refusal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain

from airflow_provider_iginsights.catalog.metrics import Metric, Selection
from airflow_provider_iginsights.catalog.offer import Offer
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.quoting import quote_value

Metrics = str | Sequence[str] | None
Breakdowns = Mapping[str, Sequence[str]] | None
Asked = tuple[Metric, str]
"""A metric with the period or timeframe in which it is asked."""

SETS: Mapping[str, tuple[Selection, ...]] = {"default": ("default",), "all": ("default", "all")}
NEW, LESS = "+", "-"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChoice:
    """One metric as it will be asked: ``breakdowns`` may be empty, ``timeframe`` is ``''`` outside demographics."""

    metric: Metric
    period: str
    timeframe: str
    breakdowns: tuple[str, ...]


def select(metrics: Metrics, breakdowns: Breakdowns, offer: Offer) -> tuple[MetricChoice, ...]:
    """Return the choices for ``metrics`` (None = the default set) and ``breakdowns`` per metric.

    * ``"default"``, ``"all"``: these sets.
    * ``reach``: a metric of the catalog. It may carry what Meta's insight ids carry: ``reach/days_28`` (a period) or
      ``follower_demographics/this_week`` (a timeframe).
    * ``+reach_rate``: a metric that this release need not know; Meta says whether there is one.
    * ``-reach``: all but this one, of what the others ask for.

    :raises ConfigurationError: an unknown, retired or misplaced metric, period, timeframe or breakdown.
    """
    chosen = _choose(["default"] if metrics is None else [metrics] if isinstance(metrics, str) else metrics, offer)
    named = {name.removeprefix(NEW): dimensions for name, dimensions in (breakdowns or {}).items()}
    known = {metric.name for metric, _ in chosen}
    for name in named:
        if name not in known:
            raise ConfigurationError(
                f"breakdowns names the metric {quote_value(name)}, which is not among the metrics asked for. "
                "Add it to metrics or remove it."
            )
    return tuple(_choice(metric, qualifier, named) for metric, qualifier in chosen)


def _choose(written: Sequence[str], offer: Offer) -> list[Asked]:
    """Return what the entries ask for, each once and in their order, less those with a minus."""
    entries = [entry.strip() for entry in written]
    wanted = [entry for entry in entries if not entry.startswith(LESS)]
    if not wanted:
        raise ConfigurationError(
            'metrics asks for nothing, so there is nothing to fetch. Leave it out for the default set, use "all", or '
            f'name the set from which something is to be left out, such as ["default", "{LESS}reach"].'
        )
    chosen = list(dict.fromkeys(chain.from_iterable(_find(entry, offer) for entry in wanted)))
    for entry in entries:
        if entry.startswith(LESS):
            chosen = _leave_out(entry.removeprefix(LESS), chosen)
    if not chosen:
        raise ConfigurationError("metrics leaves out all that it asks for, so there is nothing to fetch.")
    return chosen


def _find(entry: str, offer: Offer) -> Iterator[Asked]:
    if entry in SETS:
        return _by_selection(entry, offer)
    name = entry.removeprefix(NEW)
    if entry.startswith(NEW) and name.partition("/")[0] not in {metric.name for metric in offer}:
        return iter([_declare(name, offer)])
    return _by_name(name, offer)


def _leave_out(entry: str, chosen: Sequence[Asked]) -> list[Asked]:
    name, _, qualifier = entry.partition("/")
    kept = [(metric, period) for metric, period in chosen if metric.name != name or (qualifier and qualifier != period)]
    if len(kept) == len(chosen):
        close = get_close_matches(name, {metric.name for metric, _ in chosen}, n=3)
        hint = f" Did you mean {_listed(close)}?" if close else ""
        raise ConfigurationError(
            f"metrics leaves out {quote_value(entry)}, which is not among the metrics asked for.{hint}"
        )
    return kept


def _declare(name: str, offer: Offer) -> Asked:
    """Return a metric that the catalog does not have, as it will be asked. Its name stands in requests as it is."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{quote_value(NEW + name)} cannot be the name of a new metric: Meta's names are small letters, digits and "
            "underscores, and a new one is asked for without a period or timeframe."
        )
    metric = offer.declare(name)
    return metric, metric.periods[0]


def _by_selection(name: str, offer: Offer) -> Iterator[Asked]:
    for metric in offer:
        if metric.selection in SETS[name]:
            # Longer periods count the same days again: by default only the first period, the day, is asked.
            for period in metric.periods if name == "all" else metric.periods[:1]:
                yield metric, period


def _by_name(written: str, offer: Offer) -> Iterator[Asked]:
    name, _, qualifier = written.partition("/")
    forms = [metric for metric in offer.metrics if metric.name == name]
    if not forms:
        raise ConfigurationError(_describe_unknown(name, offer))
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


def _qualified(forms: Iterable[Metric], qualifier: str, written: str) -> Iterator[Asked]:
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


def _choice(metric: Metric, qualifier: str, breakdowns: Mapping[str, Sequence[str]]) -> MetricChoice:
    asked = metric.default_breakdowns
    if metric.name in breakdowns and metric.metric_type != "time_series":
        asked = tuple(_checked(metric, breakdown) for breakdown in breakdowns[metric.name])
    # An empty list of breakdowns means "only the total", which this metric does not have.
    if metric.needs_breakdown and not asked:
        asked = metric.default_breakdowns
    timeframe = qualifier if qualifier in metric.timeframes else next(iter(metric.timeframes), "")
    period = qualifier if qualifier in metric.periods else metric.periods[0]
    return MetricChoice(metric=metric, period=period, timeframe=timeframe, breakdowns=asked)


def _checked(metric: Metric, breakdown: str) -> str:
    dimensions = [dimension.strip() for dimension in breakdown.split(",")]
    unknown = [dimension for dimension in dimensions if not _has_dimension(metric, dimension)]
    if unknown or not breakdown.strip():
        offered = f"It offers {_listed(metric.breakdowns) or 'none'}."
        raise ConfigurationError(
            f"The metric {metric.name!r} cannot be broken down by {quote_value(breakdown)}. {offered}"
        )
    return ",".join(dimensions)


def _has_dimension(metric: Metric, dimension: str) -> bool:
    return dimension in metric.breakdowns if metric.declared else _NAME.fullmatch(dimension) is not None


def _describe_unknown(name: str, offer: Offer) -> str:
    close = get_close_matches(name, {metric.name for metric in offer}, n=3)
    hint = f"Did you mean {_listed(close)}?" if close else "docs/reference/metrics.md lists the names that Meta offers."
    return (
        f"There is no metric named {quote_value(name)}. {hint} One that is newer than this release is asked for with a "
        f"{NEW} before its name."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
