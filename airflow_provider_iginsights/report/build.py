"""Makes the report of one account out of its rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_iginsights.report.audience import make_audience
from airflow_provider_iginsights.report.coverage import make_coverage, make_notes
from airflow_provider_iginsights.report.daily import AccountDays, make_daily, make_products
from airflow_provider_iginsights.report.drawing import draw_charts
from airflow_provider_iginsights.report.hours import make_hours
from airflow_provider_iginsights.report.page import Page, write_page
from airflow_provider_iginsights.report.posts import list_posts, make_posts
from airflow_provider_iginsights.report.stories import list_stories, make_stories

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.drawing import Charts
    from airflow_provider_iginsights.report.rows import ReportRows


def build_report(rows: ReportRows, *, charts: Charts, now: datetime) -> bytes:
    """Return the HTML file. ``now`` is told as the time of making."""
    days = AccountDays(rows)
    sections = [
        make_daily(days),
        make_products(days),
        make_posts(rows),
        make_stories(rows),
        make_audience(rows),
        make_hours(rows),
        make_coverage(rows),
        make_notes(rows, days.provisional),
    ]
    page = Page(
        title=_name_account(rows),
        about=list(_describe(rows, now)),
        headlines=[
            *days.list_headlines(),
            ("Posts and reels", len(list_posts(rows)), "published in the period"),
            ("Stories", len(list_stories(rows)), "seen in the period"),
        ],
        sections=sections,
    )
    return write_page(page, draw_charts(sections, charts=charts)).encode()


def _name_account(rows: ReportRows) -> str:
    newest = max(rows.profiles, key=lambda row: row["snapshot_date"], default=None)
    if newest is None or not newest["username"]:
        return f"Instagram account {rows.account_id}"
    name = newest["name"]
    return f"{name} (@{newest['username']})" if name else f"@{newest['username']}"


def _describe(rows: ReportRows, now: datetime) -> list[str]:
    period = rows.period
    count = f"{len(period.days)} days" if len(period.days) > 1 else "1 day"
    made = now.astimezone(period.zone)
    return [
        f"Instagram insights, {period.first} to {period.last} ({count})",
        f"Account {rows.account_id}. Made {made:%Y-%m-%d %H:%M} {period.zone.key} from BigQuery.",
    ]
