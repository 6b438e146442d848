"""Rows that real tables hold and a tidy month does not: the webhook's, names that changed, what was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT
from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA, STORY_INSIGHTS, Table
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.stories.webhook_rows import WEBHOOK_SNAPSHOT_AT
from tests.support.report_pages import ReadPage
from tests.support.report_rows import ACCOUNT, DAY, LAST, OTHER, load

Row = dict[str, Any]
FETCHED: Row = {"fetched_at": f"{LAST}T20:00:00Z", "run_id": "r"}


def make_page(sandbox: BigQuerySandbox, folder: Path, tables: dict[Table, list[Row]], account: str) -> ReadPage:
    """Return the page of an account of a dataset that holds these rows."""
    dataset = f"d_{folder.name}"[:60]
    load(sandbox, tables, dataset=dataset)
    path = folder / "{account}.html"
    assert main(["report", "--dataset", dataset, "--account", account, "--out", str(path), "--charts", "none"]) == 0
    [made] = folder.iterdir()
    assert made.stem == ACCOUNT
    return ReadPage(made.read_text("utf-8"))


def of_story(metric: str, value: int, **more: Any) -> Row:
    """Return a number of a story as the webhook's notification is stored: it does not say when it was published."""
    key = {"account_id": ACCOUNT, "media_id": "18", "metric": metric, "breakdown": "", "breakdown_value": ""}
    sent = {"snapshot_at": WEBHOOK_SNAPSHOT_AT, "source": "webhook", "snapshot_date": f"{LAST + DAY}"}
    return key | sent | {"value": value, "is_final": True, "published_at": None} | FETCHED | more


def test_the_webhook_has_the_last_word(bigquery: BigQuerySandbox, tmp_path: Path) -> None:
    """Its numbers stand in the table of stories, its exits make the completion; polls say when a story was published.

    A story that no poll has seen has no day, and is not of the period.
    """
    poll = {"snapshot_at": f"{LAST}T19:00:00Z", "source": "poll", "snapshot_date": f"{LAST}", "is_final": False}
    polled = [of_story(name, 5, **poll, published_at=f"{LAST}T12:00:00Z") for name in ("views", "reach", "replies")]
    told = [of_story(name, value) for name, value in {"views": 50, "reach": 40, "exits": 10, "replies": 1}.items()]
    unseen = [row | {"media_id": "19"} for row in told]
    page = make_page(bigquery, tmp_path, {STORY_INSIGHTS: [*polled, *told, *unseen]}, ACCOUNT)
    [row] = page.list_rows("stories")
    assert row == [f"{LAST} 12:00", "50", "40", "1", "–", "–", "10", "80.0 %", "final"]


@pytest.mark.parametrize("name", ["@Alpha", "alpha"])
def test_an_account_is_called_by_its_newest_name(bigquery: BigQuerySandbox, tmp_path: Path, name: str) -> None:
    """Also where an earlier one stands later in the alphabet, and where another account has that one today."""

    def profile(account_id: str, username: str | None, days_before: int) -> Row:
        return {
            "account_id": account_id,
            "snapshot_date": f"{LAST - DAY * days_before}",
            "username": username,
        } | FETCHED

    rows = [profile(ACCOUNT, "zeta", 3), profile(ACCOUNT, "alpha", 1), profile(ACCOUNT, None, 0)]
    rows += [profile(OTHER, "alpha", 3), profile(OTHER, "zeta", 1)]
    assert make_page(bigquery, tmp_path, {ACCOUNTS: rows}, name).tags == []


def test_examples_of_what_was_left_out(bigquery: BigQuerySandbox, tmp_path: Path) -> None:
    """Those of the account and the period, each object once however many runs met it."""
    task = {"dag_id": "d", "task_id": "t", "map_index": -1, "reason": "Unreadable", "what": "reach", "count": 1}
    example = task | {"account_id": ACCOUNT, "object": "media 1", "fetched_at": FETCHED["fetched_at"]}
    rows = [example | {"run_id": f"{n}", "run_date": f"{LAST - DAY * n}"} for n in (0, 1, 40)]
    rows.append(rows[0] | {"account_id": OTHER, "object": "media 2"})
    profile = {"account_id": ACCOUNT, "snapshot_date": f"{LAST}", "username": "a"} | FETCHED
    page = make_page(bigquery, tmp_path, {LEFT_OUT: rows, ACCOUNTS: [profile]}, ACCOUNT)
    told = [text for text in page.texts["li"] if "left out" in text]
    assert told == [f"Examples of reach left out (Unreadable) between {LAST - DAY} and {LAST}: media 1."]


@pytest.mark.parametrize(("given", "why"), [([], "No account is named"), (["--account", OTHER], f"account '{OTHER}'")])
def test_a_dataset_without_profiles(
    bigquery: BigQuerySandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], why: str
) -> None:
    """It is said that nobody is known there by name, and what to name; an id is found all the same."""
    dataset, path = f"d_{tmp_path.name}"[:60], tmp_path / "r.html"
    load(
        bigquery,
        {ACCOUNTS: [], STORY_INSIGHTS: [of_story("views", 5, published_at=f"{LAST}T12:00:00Z")]},
        dataset=dataset,
    )
    line = ["report", "--dataset", dataset, "--out", str(path), "--charts", "none"]
    assert main([*line, *given]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert "from 2026-10-24 to 2026-11-20. No profile was read then" in said
    assert "name the account by its id" in said
    assert main([*line, "--account", ACCOUNT]) == 0


def test_ads_among_the_posts_are_posts(bigquery: BigQuerySandbox, tmp_path: Path) -> None:
    """What Meta lists with the product type AD is listed as in the view of posts, under its own name."""
    post = {"account_id": ACCOUNT, "published_date": f"{LAST}", "published_at": f"{LAST}T12:00:00Z"} | FETCHED
    kinds = {"1": "AD", "2": "FEED", "3": "STORY", "4": None}
    rows = [post | {"media_id": media_id, "media_product_type": kind} for media_id, kind in kinds.items()]
    page = make_page(bigquery, tmp_path, {MEDIA: rows}, ACCOUNT)
    assert [row[1] for row in page.list_rows("best")] == ["Unknown", "Post", "Ad"]
