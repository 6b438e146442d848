"""A month of one account in BigQuery, served once, and the page that the command makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from tests.support.report_pages import ReadPage
from tests.support.report_rows import ACCOUNT, DATASET, MonthRows, make_month, serve_month


@pytest.fixture(scope="session")
def month() -> MonthRows:
    """Return the rows that BigQuery holds."""
    return make_month()


@pytest.fixture(scope="module")
def bigquery(month: MonthRows) -> Iterator[BigQuerySandbox]:
    """Serve them."""
    with serve_month(month) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def page(bigquery: BigQuerySandbox, tmp_path_factory: pytest.TempPathFactory) -> ReadPage:
    """Make the report by the command."""
    path = tmp_path_factory.mktemp("reports") / "report.html"
    line = ["report", "--dataset", DATASET, "--account", ACCOUNT, "--out", str(path), "--charts", "none"]
    assert main([*line, "--timezone", "Europe/Berlin"]) == 0
    return ReadPage(path.read_text("utf-8"))
