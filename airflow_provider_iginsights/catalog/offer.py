"""What can be asked for: a table of metrics, narrowed to what a login, a version and a kind of media answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_iginsights.catalog.account_metrics import HISTORY_DAYS
from airflow_provider_iginsights.catalog.metrics import Level, Metric
from airflow_provider_iginsights.graph_api import Login


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
                f"The metric {metric.name!r} exists for {', '.join(metric.product_types)} media only, and this "
                f"operator reads {', '.join(self.product_types)} media. Ask for it with the operator of that media, or "
                "remove it."
            )
        # Refused here, since Meta would refuse the whole request for one metric (META-16).
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
            cure = _describe_cure(metric)
            return f"Meta retired the metric {metric.name!r}; API version {self.version} does not answer it. {cure}"
        return (
            f"The metric {metric.name!r} came with {metric.introduced}; API version {self.version} does not know it. "
            "Pin a newer api_version."
        )

    def declare(self, name: str) -> Metric:
        """Return the row of a metric that the catalog does not have: a total per day, or a lifetime total of a media.

        It has requests of its own, so that nothing else depends on whether Meta knows it.
        """
        level: Level = "media" if self.product_types else "account"
        return Metric(
            name=name,
            level=level,
            metric_type="default" if level == "media" else "total_value",
            periods=("lifetime",) if level == "media" else ("day",),
            product_types=self.product_types,
            history_days=None if level == "media" else HISTORY_DAYS,
            alone=True,
            documented=False,
            declared=False,
            selection="named",
        )


def _describe_cure(metric: Metric) -> str:
    after = metric.continued_by
    if after is None:
        return "It has no successor: remove it."
    return f"Ask for {after.by} instead. Its numbers do not continue those of {metric.name}: {after.because}."
