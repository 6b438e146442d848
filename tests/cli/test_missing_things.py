"""What ``tables`` and ``forget`` say where the dataset, a table, the project or the credentials are missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_iginsights.cli.main import main
from tests.support.sandboxes import DATASET, open_sandboxes

WHERE = ["--dataset", DATASET]
COMMANDS = [["forget", "--account", "1", "--yes"], ["tables", "--check"], ["tables", "--views"]]


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    """Have all six tables."""
    with open_sandboxes() as sandboxes:
        for kind in ("account", "media", "story"):
            sandboxes.run(kind, metrics=["reach"])
        yield


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (["--dataset", "nowhere"], "The dataset sandbox-project.nowhere does not exist."),
        (["--dataset", "bad-id"], "'bad-id' is not a BigQuery dataset id."),
        ([*WHERE, "--project", "other-project"], "The dataset other-project.instagram does not exist."),
        ([*WHERE, "--project", "No Project"], "is not a BigQuery project id."),
        ([*WHERE, "--job-project", "No Project"], "is not a BigQuery project id."),
        ([*WHERE, "--location", "EU"], "lies in US, not in EU"),
        ([*WHERE, "--table", "media=posts"], "There exists no table sandbox-project.instagram.posts."),
        ([*WHERE, "--gcp-conn-id", "google_cloud_default"], "needs Airflow's Google provider"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize(
    "command", [["forget", "--account", "1", "--yes"], ["tables", "--check"], ["tables", "--views"]]
)
def test_what_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], command: list[str], where: list[str], said: str
) -> None:
    """A missing dataset, project, table or credential ends with 2 and a sentence, never with 0 and no traceback."""
    assert main([*command, *where]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_without_credentials(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without credentials is told so."""
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "nowhere.json")
    assert main(["tables", "--check", *WHERE]) == 2
    assert "has no application default credentials" in capsys.readouterr().err
