"""The catalog beside the sandbox's rules, which were typed in a second time: equal, but for what is explained here."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS
from airflow_provider_iginsights.catalog.metrics import FACEBOOK_ONLY, Metric
from airflow_provider_iginsights.catalog.versions import VERSIONS
from airflow_provider_iginsights.sandbox.graph import rules, versions

VERSION = "v25.0"

# (metric, property): (what the catalog says, what the sandbox does), and why they differ
EXPLAINED: dict[tuple[str, str], tuple[object, object, str]] = {
    ("engaged_audience_demographics", "min_followers"): (
        None,
        100,
        "Meta counts 100 engagements, not followers; the sandbox, which has no engagements, goes by followers.",
    ),
    ("impressions", "products"): (
        (),
        ("FEED", "STORY"),
        "Meta still lists the name, and v21.0 answers it for old media; v25.0 answers it for none.",
    ),
    **{
        (name, fact): (
            *values,
            "Meta accepts the name and no page says what it counts: the catalog asks as for its neighbours, and the "
            "sandbox has no number to answer with.",
        )
        for name in ("content_views", "quotes")
        for fact, values in {"total": (("day",), ())}.items()
    },
}


def account_facts(rows: list[Metric]) -> dict[str, Any]:
    """Return what the catalog's rows of one account metric say, in the sandbox's terms."""
    series = [row for row in rows if row.metric_type == "time_series"]
    totals = [row for row in rows if row.metric_type == "total_value"]
    return {
        "series": tuple(period for row in series for period in row.periods),
        "total": tuple(period for row in totals for period in row.periods),
        "breakdowns": {name for row in totals for name in row.breakdowns},
        "timeframes": {name for row in totals for name in row.timeframes},
        "only_last_30_days": any(row.history_days == 30 for row in series),
        "min_followers": next((row.min_followers for row in rows if row.min_followers), None),
    }


def sandbox_account_facts(rule: rules.UserMetric) -> dict[str, Any]:
    """Return the same of the sandbox's rule."""
    return {
        "series": rule.series,
        "total": rule.total,
        "breakdowns": set(rule.breakdowns),
        "timeframes": set(rule.timeframes),
        "only_last_30_days": rule.only_last_30_days,
        "min_followers": rule.min_followers or None,
    }


def media_facts(rows: list[Metric]) -> dict[str, Any]:
    """Return what the catalog's rows of one media metric say, in the sandbox's terms."""
    return {
        "products": tuple(sorted({name for row in rows for name in row.product_types})),
        "breakdown": next((name for row in rows for name in row.breakdowns), None),
        "facebook_login_only": bool(rows) and all(row.logins == FACEBOOK_ONLY for row in rows),
        "needs_facebook": bool(rows) and all(row.alone for row in rows),
    }


def sandbox_media_facts(rule: rules.MediaMetric) -> dict[str, Any]:
    """Return the same of the sandbox's rule."""
    return {
        "products": tuple(sorted(rule.products)),
        "breakdown": rule.breakdown,
        "facebook_login_only": rule.facebook_login_only,
        "needs_facebook": rule.needs_facebook,
    }


def live(table: tuple[Metric, ...], name: str) -> list[Metric]:
    """Return the catalog's rows that the version answers under a name."""
    return [row for row in table if row.name == name and row.lives_in(VERSION)]


def test_rules_agree() -> None:
    """Every name, period, type, breakdown, timeframe, product type and limit is the same, or explained."""
    differences: dict[tuple[str, str], tuple[object, object]] = {}
    accounts = (
        (name, account_facts(live(ACCOUNT_METRICS, name)), sandbox_account_facts(rule))
        for name, rule in rules.USER_METRICS.items()
    )
    media = (
        (name, media_facts(live(MEDIA_METRICS, name)), sandbox_media_facts(rule))
        for name, rule in rules.MEDIA_METRICS.items()
    )
    for name, catalog, sandbox in (*accounts, *media):
        for fact, value in catalog.items():
            if value != sandbox[fact]:
                differences[name, fact] = (value, sandbox[fact])
    assert differences == {key: (catalog, sandbox) for key, (catalog, sandbox, _) in EXPLAINED.items()}


@pytest.mark.parametrize(
    ("table", "names"),
    [(ACCOUNT_METRICS, rules.USER_METRICS), (MEDIA_METRICS, rules.MEDIA_METRICS)],
    ids=["account", "media"],
)
def test_the_same_names_live(table: tuple[Metric, ...], names: object) -> None:
    """The sandbox answers every name that the catalog has as living."""
    assert {row.name for row in table if row.lives_in(VERSION)} <= set(names)  # type: ignore[call-overload]


def test_versions_agree() -> None:
    """Both know the same versions and dates; the catalog's end is the last day, the sandbox's the first without."""
    assert {name: (version.released, version.ends) for name, version in versions.VERSIONS.items()} == VERSIONS
