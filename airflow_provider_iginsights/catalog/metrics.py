"""What a metric is, and how to find one: the vocabulary of the two metric tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from airflow_provider_iginsights.catalog.versions import was_served_on
from airflow_provider_iginsights.graph_api import Login, parse_version

Level = Literal["account", "media"]
MetricType = Literal["time_series", "total_value", "default"]
Selection = Literal["default", "all", "named", "never"]
Unit = Literal["count", "milliseconds", "percent"]

BOTH_LOGINS: tuple[Login, ...] = ("facebook", "instagram")
FACEBOOK_ONLY: tuple[Login, ...] = ("facebook",)


@dataclass(frozen=True, slots=True)
class Continuation:
    """What continues a retired metric, and why the two make no series: their numbers are never joined.

    ``by``: what to ask instead; ``since``: when that was introduced, as of :class:`Metric`; ``because``: a clause.
    """

    by: str
    since: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One way to ask for one metric. A metric that can be asked in two ways (a series, a total) has two rows.

    * ``introduced``: the first version that answers (``v15.0``), or the day (``2025-12-03``) on which every version
      then served began to.
    * ``retired``: the first version that refuses it; ``removed_on``: the day on which every version then served
      stopped.
    * ``metric_type``: ``time_series`` = dated points, ``total_value`` = one undated number per window, ``default`` = a
      lifetime total of a media.
    * ``breakdowns``: dimensions Meta accepts; ``default_breakdowns``: what the default set asks, several dimensions
      joined by a comma.
    * ``needs_breakdown``: Meta answers no number at all without one. ``alone``: one refusal is so common that it gets a
      request of its own.
    * ``map_dimension``: what the keys are where Meta answers an object (``hour`` of ``online_followers``).
    * ``history_days``: how many days back Meta answers. ``min_followers``: Meta is silent below.
    * ``documented``: False where Meta accepts the name but no page of its reference says what it means.
    * ``declared``: False where the catalog knows nothing of it, and a user asked for it with a ``+`` all the same.
    * ``sums_over_days``: the numbers of several days add up, since they count what happened. False where they count
      people, who come on several days, or what there is; and where nobody says what they count.
    * ``selection``: asked by default, only with ``metrics="all"``, only by name, or never (another product's).
    """

    name: str
    level: Level
    metric_type: MetricType
    periods: tuple[str, ...]
    introduced: str = "v10.0"
    retired: str | None = None
    removed_on: date | None = None
    breakdowns: tuple[str, ...] = ()
    default_breakdowns: tuple[str, ...] = ()
    needs_breakdown: bool = False
    map_dimension: str = ""
    product_types: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    logins: tuple[Login, ...] = BOTH_LOGINS
    unit: Unit = "count"
    alone: bool = False
    history_days: int | None = None
    min_followers: int | None = None
    continued_by: Continuation | None = None
    documented: bool = True
    declared: bool = True
    sums_over_days: bool = False
    selection: Selection = "default"

    def lives_in(self, version: str) -> bool:
        """Return whether this version answers it, as far as Meta announced."""
        return (
            self._has_come(version)
            and not (self.retired and parse_version(version) >= parse_version(self.retired))
            # Meta takes some metrics from all versions on one day, and others from new versions only.
            and not (self.removed_on and was_served_on(version, self.removed_on))
        )

    def _has_come(self, version: str) -> bool:
        if self.introduced.startswith("v"):
            return parse_version(version) >= parse_version(self.introduced)
        return was_served_on(version, date.fromisoformat(self.introduced))
