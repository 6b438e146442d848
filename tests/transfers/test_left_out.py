"""What a transfer leaves out never stops it: a row that its table cannot store, a metric that Meta does not answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest

from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.errors import RowRefused
from airflow_provider_iginsights.sandbox.graph import World
from tests.support.sandboxes import KEYS, NOW, Sandboxes, open_sandboxes

INSIGHTS = "instagram_account_insights"
LIKES = {"metrics": ["likes", "views"], "breakdowns": {"likes": [], "views": []}}


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one small account."""
    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=2)) as opened:
        yield opened


@pytest.mark.parametrize(("kind", "table"), [("account", "accounts"), ("media", "media"), ("story", "story_polls")])
def test_a_row_that_is_refused_is_named(sandboxes: Sandboxes, kind: str, table: str) -> None:
    """A row that the table cannot store costs itself: the others are written, and it stands in ``left_out``."""
    write = RowFile.write

    def refuse_one(row_file: RowFile, row: Mapping[str, Any]) -> None:
        write(row_file, {**row, "run_id": 5} if row_file.target.table.name == table and not row_file.rows else row)

    whole = sandboxes.run(kind, dataset_id="whole")
    with patch.object(RowFile, "write", refuse_one):
        summary = sandboxes.run(kind)
    refused = [each for each in summary["left_out"] if each["kind"] == RowRefused.__name__]
    assert [each["what"] for each in refused] == [f"a row of table {table}"]
    assert whole["rows"] - summary["rows"] == refused[0]["count"] > 0
    assert sandboxes.account.id in refused[0]["whom"][0]


def drop_likes(sandboxes: Sandboxes) -> None:
    """Let Meta send no likes for any day, as it may where there are none."""
    sandboxes.world.overrides[sandboxes.account.id, "likes"] = 0


@pytest.fixture(autouse=True)
def _zeros_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sandbox leave every zero out, not two of three."""
    from airflow_provider_iginsights.sandbox.graph import numbers

    monkeypatch.setattr(numbers, "is_left_out", lambda *_: True)


def no_data(summary: Mapping[str, Any]) -> list[str]:
    """Return what Meta did not answer."""
    return [each["what"] for each in summary["left_out"] if each["kind"] == "NoData"]


def test_silence_is_a_remark_at_first(sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture) -> None:
    """A metric that the account never had is named without a warning, and nothing is written for it."""
    drop_likes(sandboxes)
    with caplog.at_level(logging.INFO):
        assert no_data(sandboxes.run("account", **LIKES)) == ["likes"]
    assert {row["metric"] for row in sandboxes.rows(INSIGHTS)} == {"views"}
    said = [record.levelno for record in caplog.records if record.getMessage().startswith("likes of account")]
    assert said == [logging.INFO]


def test_silence_after_numbers_is_a_warning(sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture) -> None:
    """Where our own table has the metric of the account, that it did not come is a warning; what is stored stays."""
    sandboxes.run("account", **LIKES)
    before = sandboxes.rows(INSIGHTS)
    drop_likes(sandboxes)
    with caplog.at_level(logging.INFO):
        summary = sandboxes.run("account", **LIKES)
    assert no_data(summary) == ["likes", "likes, which Meta answered lately"]
    assert [record.levelno for record in caplog.records if "answered lately of account" in record.getMessage()] == [
        logging.WARNING
    ]
    key = KEYS[INSIGHTS]
    assert [[row[name] for name in key] for row in sandboxes.rows(INSIGHTS)] == [
        [row[name] for name in key] for row in before
    ]


def test_silence_costs_one_question_and_none_without_it(sandboxes: Sandboxes) -> None:
    """BigQuery is asked once for all metrics that did not come, and not at all where Meta answered."""

    def lookups() -> int:
        asked = [job.statement or "" for job in sandboxes.bigquery.jobs]
        return sum("MAX(IF(T.`metric` = 'likes'" in statement for statement in asked)

    sandboxes.run("account", **LIKES)
    assert lookups() == 0
    drop_likes(sandboxes)
    sandboxes.world.overrides[sandboxes.account.id, "views"] = 0
    sandboxes.run("account", **LIKES)
    assert lookups() == 1
