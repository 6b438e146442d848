"""OpenLineage events of tasks that Airflow's own task runner runs: good, failed, deferred, fan-in and webhook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphFault, Token, appsecret_proof
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from tests.support.airflow_versions import offers
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.dag_runs import BUSY, dag_of, open_sandboxes_of_dags, pull, run, states
from tests.support.transfers.openlineage_events import Event, find_datasets, find_events, list_jobs, record_events
from tests.support.webhooks.messages import message

FACEBOOK = "instagram://graph.facebook.com"
INSIGHTS, PROFILES, STORIES = (
    f"sandbox-project.instagram.instagram_{name}" for name in ("account_insights", "accounts", "story_insights")
)
POOR_TOKEN = "EAAG-poor|token/7+Zq"
BODY = """
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator as Write
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator as Webhook
some = dict(metrics=["likes"], lookback_days=0, **TO)
ours = dict(project_id="sandbox-project")
deferred = Account(task_id="deferred", deferrable=True, **some)
read = Account(task_id="read", load="stage", profile_table_id=None, since="2026-11-10", until="2026-11-11", **some)
write = Write(task_id="write", staged=read.output["staged"], account_ids=None, **TO)
webhook = Webhook(task_id="webhook", payload={payload!r}, **ours, **TO)
failed = Account(task_id="failed", instagram_conn_id="poor", account_ids={accounts}, **ours, **some)
deferred >> read >> write >> webhook >> failed
"""


@dataclass(frozen=True)
class Finished:
    """A Dag run: its task instances by task id, what the provider wrote about it, and the two tables then."""

    instances: dict[str, Any]
    text: str
    events: list[Event]
    rows: dict[str, int]

    def of(self, task_id: str, event_type: str) -> Event:
        """Return the last event of a task of one type."""
        return find_events(self.events, f"lineage.{task_id}", event_type)[-1]


@pytest.fixture(scope="module")
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts, and a second connection whose token does not see the last one."""
    # An old release of the provider is found beside a newer Airflow, and cannot be imported there.
    pytest.importorskip("airflow.providers.openlineage.extractors")
    with open_sandboxes_of_dags() as opened:
        opened.world.put(Token(POOR_TOKEN, "user", account_ids=tuple(opened.world.accounts)[:2]))
        opened.extra = {"app_secret": APP_SECRET}
        opened.connect()
        opened.connect("poor", password=POOR_TOKEN)
        yield opened


@pytest.fixture(scope="module")
def finished(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Run a Dag whose first task is deferred in the midst, and whose last one fails for one account of three."""
    folder = tmp_path_factory.mktemp("lineage")
    first, second, third = sandboxes.world.accounts
    sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=second, times=1))
    body = BODY.format(payload=message(), accounts=[first, second, third])
    with record_events(folder / "events.json") as read_events, dag_of(folder, "lineage", body) as dag:
        found = run(dag)
        events = read_events()
    ended = {task_id: state for (task_id, _), (state, _) in states(found).items()}
    assert ended == dict.fromkeys(ended, "success") | {"failed": "failed"}
    rows = {name: len(sandboxes.rows(name.rpartition(".")[2])) for name in (INSIGHTS, PROFILES, STORIES)}
    instances = {task_id: instance for (task_id, _), instance in found.items()}
    return Finished(instances, (folder / "events.json").read_text("utf-8"), events, rows)


def test_a_deferred_task_tells_all_that_it_wrote(finished: Finished) -> None:
    """What was written before the wait and after it is in one event: rows of each table, and every job."""
    event, summary = finished.of("deferred", "COMPLETE"), pull(finished.instances["deferred"])
    assert len(find_events(finished.events, "lineage.deferred", "START")) == 2
    assert find_datasets(event, "inputs")["account"]["namespace"] == FACEBOOK
    outputs = find_datasets(event, "outputs")
    assert {name: output["outputStatistics"]["rowCount"] for name, output in outputs.items()} == summary["tables"]
    assert {output["namespace"] for output in outputs.values()} == {"bigquery"}
    assert list(outputs) == [INSIGHTS, PROFILES]
    assert sorted(list_jobs(event)) == sorted(summary["bigquery_jobs"])
    # Of an old window no profile is read. The numbers were loaded and merged twice, or again as a whole: dag.test hands
    # a task that was deferred nothing of what the deferral carried, so that only the state store has it.
    assert len(list_jobs(event)) == (4 if offers("3.3") else 2)
    assert event["run"]["facets"]["externalQuery"]["source"] == "bigquery"


def test_numbers_come_from_meta_s_answer(finished: Finished) -> None:
    """The facets name every column with its type, and of metric, value and a profile where they come from."""
    event = finished.of("deferred", "COMPLETE")
    outputs = find_datasets(event, "outputs")
    sources = {
        name: {
            column: [(field["namespace"], field["name"], field["field"]) for field in said["inputFields"]]
            for column, said in output["columnLineage"]["fields"].items()
        }
        for name, output in outputs.items()
    }
    assert sources[INSIGHTS] == {
        "metric": [(FACEBOOK, "account", "name")],
        "value": [(FACEBOOK, "account", "value")],
    }
    assert sources[PROFILES]["followers_count"] == [(FACEBOOK, "account", "followers_count")]
    assert "run_id" not in sources[PROFILES]
    given = {field["name"] for field in find_datasets(event, "inputs")["account"]["schema"]["fields"]}
    assert {source[2] for said in sources.values() for [source] in said.values()} == given
    types = {field["name"]: field["type"] for field in outputs[INSIGHTS]["schema"]["fields"]}
    assert {name: types[name] for name in ("metric", "value", "metric_date")} == {
        "metric": "STRING",
        "value": "NUMERIC",
        "metric_date": "DATE",
    }


def test_a_task_that_stages_writes_nothing(finished: Finished) -> None:
    """It names its input and its load job; the task that writes names input, table, rows and its own jobs."""
    staged, written = (finished.of(task_id, "COMPLETE") for task_id in ("read", "write"))
    assert list(find_datasets(staged, "inputs")) == list(find_datasets(written, "inputs")) == ["account"]
    assert staged["outputs"] == []
    assert list_jobs(staged) == pull(finished.instances["read"])["bigquery_jobs"] != []
    summary = pull(finished.instances["write"])
    outputs = find_datasets(written, "outputs")
    assert {name: output["outputStatistics"]["rowCount"] for name, output in outputs.items()} == summary["tables"]
    assert list(outputs) == [INSIGHTS]
    assert summary["rows"] > 0
    assert sorted(list_jobs(written)) == sorted(summary["bigquery_jobs"])


def test_a_webhook_s_numbers(finished: Finished) -> None:
    """The numbers that Meta sends have the stories as their input."""
    event = finished.of("webhook", "COMPLETE")
    assert list(find_datasets(event, "inputs")) == ["story"]
    (output,) = find_datasets(event, "outputs").items()
    assert (output[0], output[1]["outputStatistics"]["rowCount"]) == (STORIES, finished.rows[STORIES])
    assert sorted(output[1]["columnLineage"]["fields"]) == ["metric", "value"]


def test_a_failed_task_tells_what_it_wrote(finished: Finished) -> None:
    """Two accounts of three are written when the task fails, and the event of the failure says so."""
    event, summary = finished.of("failed", "FAIL"), pull(finished.instances["failed"], key="summary")
    outputs = find_datasets(event, "outputs")
    assert {name: output["outputStatistics"]["rowCount"] for name, output in outputs.items()} == summary["tables"]
    assert summary["tables"][INSIGHTS] > 0
    assert sorted(list_jobs(event)) == sorted(summary["bigquery_jobs"])


def test_what_a_task_is_going_to_write(finished: Finished) -> None:
    """At the start the tables have no rows yet; where the project is that of the credentials, none is named."""
    started = finished.of("failed", "START")
    assert list(find_datasets(started, "inputs")) == ["account"]
    assert list(find_datasets(started, "outputs")) == [INSIGHTS, PROFILES]
    assert not any("outputStatistics" in output for output in find_datasets(started, "outputs").values())
    assert list_jobs(started) == []
    (first, again) = find_events(finished.events, "lineage.deferred", "START")
    assert first["outputs"] == again["outputs"] == []


def test_no_secret_is_told(sandboxes: Sandboxes, finished: Finished) -> None:
    """No token, app secret or proof, in whatever form, and no query is in any event, also of the failed task."""
    tokens = (sandboxes.token, POOR_TOKEN)
    secrets = [APP_SECRET, *tokens, *(quote(each, safe="") for each in tokens)]
    secrets += [appsecret_proof(each, APP_SECRET) for each in tokens]
    assert "AccountUnavailable" in finished.text
    assert [secret for secret in (*secrets, "access_token=", "appsecret_proof=") if secret in finished.text] == []
