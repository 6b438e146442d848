"""What ``tables`` and ``forget`` say where the dataset, a table, the project or the credentials are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from google.cloud.bigquery import Client

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.hooks import bigquery
from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client
from tests.support.sandboxes import DATASET, Sandboxes, open_sandboxes

WHERE = ["--dataset", DATASET]
COMMANDS = [["forget", "--account", "1", "--yes"], ["tables", "--check"], ["tables", "--views"]]


OPTIONS = {"project_id": "--project", "gcp_conn_id": "--gcp-conn-id", "job_project_id": "--job-project"}
"""Arguments of operators that a message may name, and the options of a command that mean the same."""


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> Iterator[Sandboxes]:
    """Have all six tables."""
    with open_sandboxes() as opened:
        for kind in ("account", "media", "story"):
            opened.run(kind, metrics=["reach"])
        yield opened


def names_options(said: str) -> bool:
    """Return whether a message that names an argument of an operator names the option as well."""
    return all(option in said for argument, option in OPTIONS.items() if re.search(rf"\b{argument}\b", said))


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
        ([*WHERE, "--table", "account_status=status"], "There exists no table sandbox-project.instagram.status."),
        pytest.param(
            [*WHERE, "--gcp-conn-id", "google_cloud_default"],
            "needs Airflow's Google provider",
            marks=pytest.mark.skipif(bool(find_spec("airflow.providers.google")), reason="the provider is there"),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_what_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], command: list[str], where: list[str], said: str
) -> None:
    """A missing dataset, project, table or credential ends with 2 and a sentence, never with 0 and no traceback."""
    assert main([*command, *where]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert names_options(printed.err)
    assert printed.out == ""


def test_without_credentials(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose credentials are not there is told which file is missing, and what else to name."""
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "nowhere.json")
    assert main(["tables", "--check", *WHERE]) == 2
    said = capsys.readouterr().err
    assert "nowhere.json was not found" in said
    assert names_options(said)


def test_without_a_project(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing names the project, the message names the option that does."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    assert main(["tables", "--check", *WHERE]) == 2
    said = capsys.readouterr().err
    assert "No Google Cloud project is known" in said
    assert names_options(said)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_jobs_run_in_the_job_project(sandboxes: Sandboxes, command: list[str]) -> None:
    """--job-project runs and pays for the jobs; the tables stay where they are."""
    before = len(sandboxes.bigquery.log)
    main([*command, *WHERE, "--job-project", "payer-project"])
    paths = [request.path for request in sandboxes.bigquery.log[before:]]
    of_jobs = [path for path in paths if "/jobs" in path or "/queries" in path]
    assert all("/projects/payer-project/" in path for path in of_jobs)
    assert all("/projects/sandbox-project/" in path for path in set(paths) - set(of_jobs))
    assert of_jobs


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("chain", ["a@p.iam.gserviceaccount.com", "a@p.iam,b@p.iam"])
def test_the_service_account_is_acted_for(monkeypatch: pytest.MonkeyPatch, command: list[str], chain: str) -> None:
    """--impersonation-chain arrives, as it is written, where the credentials are made."""
    given = []

    def connect(**arguments: Any) -> Client:
        given.append(arguments["impersonation_chain"])
        return get_bigquery_client(**arguments)

    monkeypatch.setattr(bigquery, "get_bigquery_client", connect)
    main([*command, *WHERE, "--impersonation-chain", chain])
    assert given == [chain]
