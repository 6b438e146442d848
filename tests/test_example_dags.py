"""The example Dags are what they claim to be: files without a warning, and runs whose tables are the truth."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airflow_provider_iginsights as package
from airflow_provider_iginsights._compat import find
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, Token, World, appsecret_proof
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET
from tests.support import truth
from tests.support.airflow_versions import GIVES_NOTIFIER_ERROR, needs, offers, run_dag
from tests.support.google_keys import open_google_connection
from tests.support.mail_server import SENDER, receive_mails
from tests.support.pages import find_block, find_section, read_pages
from tests.support.report_pages import ReadPage, read_number
from tests.support.sandboxes import DAY, END, KEYS, NOW, START, Row, Sandboxes, facts, open_sandboxes, pacific_days

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import DAG

FILES = sorted((Path(__file__).parents[1] / "example_dags").glob("*.py"))
WITH_ASSETS = ("instagram_story_webhook", "instagram_story_webhook_queue")
PARSED = [pytest.param(path, marks=needs("assets") if path.stem in WITH_ASSETS else (), id=path.stem) for path in FILES]
DAILY = [
    path for path in FILES if path.stem.endswith(("_daily_insights", "_many_accounts", "_many_connections", "_views"))
]
STORIES = [path for path in FILES if "_stories" in path.stem]
ALERTS = FILES[0].with_name("instagram_alerts.py")
VIEWS = {
    "instagram_account_daily",
    "instagram_audience",
    "instagram_changes",
    "instagram_media_insights_latest",
    "instagram_posts",
}
YESTERDAY = date(2026, 11, 20)


def load(path: Path) -> DAG:
    """Parse a Dag file as Airflow does and return its one Dag, which has the file's name."""
    from tests.support.airflow_versions import DagBag

    bag = DagBag(dag_folder=str(path))
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert list(bag.dags) == [path.stem]
    return bag.dags[path.stem]


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts and a connection that has an app secret."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=5, stories_per_account=1)) as opened:
        opened.extra = {"app_secret": APP_SECRET}
        opened.connect()
        yield opened


def expected(sandboxes: Sandboxes, *, kinds: frozenset[str]) -> dict[str, list[Row]]:
    """Return the truth of a run over all accounts that reads these kinds of insights."""
    tables: dict[str, list[Row]] = {table_id: [] for table_id in KEYS}
    world, now, days = sandboxes.world, sandboxes.now, pacific_days(YESTERDAY - 3 * DAY, YESTERDAY)
    for account in world.accounts.values():
        listed = world.media_of(account.id, now) if "media" in kinds else []
        posts = [post for post in listed if START - timedelta(days=28) <= post.timestamp < END]
        live = world.stories_of(account.id, now) if "story" in kinds else []
        if "account" in kinds:
            tables["instagram_account_insights"] += truth.account_rows(world, account, days, now=now)
            tables["instagram_accounts"].append(truth.profile_rows(account, now=now, page_id=account.page_id))
        tables["instagram_media"] += truth.listed_rows(world, [*posts, *live], now=now)
        tables["instagram_media_children"] += truth.child_rows(world, posts)
        tables["instagram_media_insights"] += truth.post_rows(world, posts, now=now)
        tables["instagram_story_insights"] += truth.story_rows(world, live, now=now)
        tables["instagram_story_polls"] += [truth.poll_row(world, account, now=now)] if "story" in kinds else []
    return tables


def kinds_of(dag: DAG) -> frozenset[str]:
    """Return the kinds of insights that a Dag's tasks are named after."""
    return frozenset(task_id.partition("_")[0] for task_id in dag.task_ids if task_id.endswith("_insights"))


def test_stories_are_read_every_hour() -> None:
    """No example reads stories once a day without waiting for each: their numbers are gone after 24 hours."""
    from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramStoryInsightsToBigQueryOperator

    found = [
        (dag.dag_id, task.capture)
        for dag in map(load, [path for path in FILES if offers("3.0") or path.stem not in WITH_ASSETS])
        for task in dag.tasks
        if isinstance(task, InstagramStoryInsightsToBigQueryOperator)
    ]
    assert found == [("instagram_hourly_stories", "now"), ("instagram_stories_before_expiry", "before_expiry")]


IMPORTS = "from airflow.sdk import DAG, CronDataIntervalTimetable\n"
OLDER_IMPORTS = {
    "3.2": "from airflow.timetables.interval import CronDataIntervalTimetable",
    "3.0": "from airflow import DAG",
}
"""What the docs say to write in place of the first Dag's imports, by the Airflow that no longer needs it."""


def import_as_here(printed: str) -> str:
    """Return the first Dag with the imports that the docs tell this Airflow's reader to write."""
    here = {since: line for since, line in OLDER_IMPORTS.items() if not offers(since)}
    assert all(f"`{line}`" in find_section("A first Dag") for line in OLDER_IMPORTS.values())
    kept = () if "3.0" in here else ("from airflow.sdk import DAG",)
    return printed.replace(IMPORTS, "\n".join((*kept, *here.values(), ""))) if here else printed


def run_first_dag(folder: Path, change: Callable[[str], str] = lambda printed: printed) -> Any:
    """Run the first Dag of the README, changed as a reader would change it; return the Dag run."""
    printed = find_block("With a real token 1")
    path = folder / "instagram.py"
    assert IMPORTS in printed
    path.write_text(change(import_as_here(printed)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow.settings.DAGS_FOLDER", str(folder))
        return run_dag(load(path), END)


@pytest.mark.usefixtures("airflow_db")
def test_the_first_dag_of_the_readme_runs_as_printed(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """It is a Dag file that needs no Google provider, and its tables are the truth."""
    assert run_first_dag(tmp_path).state == "success"
    for table_id, rows in expected(sandboxes, kinds=frozenset({"account", "media"})).items():
        assert facts(table_id, sandboxes.rows(table_id)) == facts(table_id, rows), table_id


LEFT_OUT = '"gcp_conn_id": None, '
CONNECTIONS = {
    "named": lambda printed: printed.replace(LEFT_OUT, '"gcp_conn_id": "google_cloud_default", '),
    "left out": lambda printed: printed.replace(LEFT_OUT, ""),
    "another": lambda printed: printed.replace(LEFT_OUT, '"gcp_conn_id": "of_the_agency", '),
}


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("change", CONNECTIONS.values(), ids=CONNECTIONS)
def test_the_first_dag_runs_with_a_connection(
    sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]
) -> None:
    """With the other install it writes the same tables by a Google Cloud connection, which alone names the project."""
    pytest.importorskip("airflow.providers.google", reason="needs apache-airflow-providers-google")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    assert LEFT_OUT not in change(LEFT_OUT)
    with open_google_connection(project=sandboxes.bigquery.project) as connection:
        for conn_id in ("GOOGLE_CLOUD_DEFAULT", "OF_THE_AGENCY"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", connection)
        assert run_first_dag(tmp_path, change).state == "success"
    for table_id, rows in expected(sandboxes, kinds=frozenset({"account", "media"})).items():
        assert facts(table_id, sandboxes.rows(table_id)) == facts(table_id, rows), table_id


@pytest.mark.usefixtures("airflow_db")
def test_the_first_dag_says_what_it_lacks(
    sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the Google provider, or without its connection, no try asks Meta for anything."""
    monkeypatch.setitem(sys.modules, "airflow.providers.google.cloud.hooks.bigquery", None)
    assert run_first_dag(tmp_path, CONNECTIONS["left out"]).state == "failed"
    assert len(sandboxes.graph.log) == 0


def test_there_are_examples() -> None:
    """The docs' table names every example and nothing else, and those that are run here are among them."""
    table = read_pages().partition("| Dag | shows |\n")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()))
    assert sorted(named) == [path.stem for path in FILES]
    assert (len(DAILY), len(STORIES)) == (4, 2)


@pytest.mark.parametrize("path", PARSED)
def test_an_example_parses_without_a_warning(path: Path) -> None:
    """Importing the file warns of nothing, asks nobody, and its Dag survives serialization."""
    from tests.support.airflow_versions import DagSerialization

    dag = load(path)
    data = DagSerialization.to_dict(dag)
    json.dumps(data)
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")), clean=False) == dag.doc_md
    again = DagSerialization.from_dict(data)
    assert again.task_ids == dag.task_ids
    assert {task_id: again.get_task(task_id).downstream_task_ids for task_id in again.task_ids} == {
        task_id: dag.get_task(task_id).downstream_task_ids for task_id in dag.task_ids
    }


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("path", [*DAILY, *STORIES], ids=lambda path: path.stem)
def test_an_example_runs(path: Path, sandboxes: Sandboxes) -> None:
    """Airflow runs the Dag to success and the tables are the truth; no secret is in Airflow's database."""
    dag = load(path)
    # A run of the day before waits for no story's end; that the others do is held where a test moves the clock.
    run = run_dag(dag, START if "expiry" in path.stem else END)
    assert run.state == "success"
    if path in DAILY:
        assert (run.data_interval_start, run.data_interval_end) == (START, END)
    for table_id, rows in expected(sandboxes, kinds=kinds_of(dag)).items():
        assert facts(table_id, sandboxes.rows(table_id)) == facts(table_id, rows), table_id
    assert set(sandboxes.staging()) == (VIEWS if path.stem.endswith("_views") else set())
    database = Path(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///"))
    kept = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    assert b"instagram_account_insights" in kept
    for secret in (sandboxes.token, APP_SECRET, appsecret_proof(sandboxes.token, APP_SECRET)):
        assert secret.encode() not in kept


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("path", [path for path in DAILY if "many" in path.stem], ids=lambda path: path.stem)
def test_mapped_tasks_share_the_tables(path: Path, sandboxes: Sandboxes) -> None:
    """One mapped task per chunk: their rows stand side by side in the same tables, each with the run's id."""
    dag = load(path)
    dag.get_task("accounts").chunk_size = 1
    run = run_dag(dag, END)
    mapped = [instance for instance in run.get_task_instances() if instance.task_id == "account_insights"]
    assert sorted(instance.map_index for instance in mapped) == [0, 1]
    rows = sandboxes.rows("instagram_account_insights")
    assert facts("instagram_account_insights", rows) == facts(
        "instagram_account_insights", expected(sandboxes, kinds=frozenset({"account"}))["instagram_account_insights"]
    )
    assert {row["run_id"] for row in rows} == {run.run_id}


def play_refused_account(sandboxes: Sandboxes) -> str:
    """Let Meta refuse the insights, and only these, of one account for good; return its id."""
    account_id, *_ = sandboxes.world.accounts
    refusal = ErrorEffect(10, http=400, message="(#10) Application does not have permission for this action")
    sandboxes.graph.faults.add(GraphFault(effect=refusal, path=f"{account_id}/insights", times=None))
    return account_id


@pytest.mark.usefixtures("airflow_db")
def test_who_is_told_of_a_failure(sandboxes: Sandboxes) -> None:
    """Media are loaded beside accounts that fail; one mail says which task failed and which account is missing."""
    refused, read = play_refused_account(sandboxes), list(sandboxes.world.accounts)[1]
    with receive_mails() as mails:
        run = run_dag(load(ALERTS), END)
    assert run.state == "failed"
    assert {instance.task_id: str(instance.state) for instance in run.get_task_instances()} == {
        "account_insights": "failed",
        "media_insights": "success",
    }
    table_id = "instagram_media_insights"
    assert facts(table_id, sandboxes.rows(table_id)) == facts(
        table_id, expected(sandboxes, kinds=frozenset({"media"}))[table_id]
    )
    assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == {read}
    [mail] = mails
    assert (mail["to"], mail["from"]) == ("data-team@example.com", SENDER)
    assert mail["subject"] == f"Instagram: account_insights of {run.run_id} failed"
    assert (refused if GIVES_NOTIFIER_ERROR else "The log says why.") in mail.text
    assert read not in mail.text
    assert sandboxes.token not in mail.text


@pytest.mark.usefixtures("airflow_db")
def test_the_report_is_made_and_sent(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the load; the mail's attachment is the file, which needs no script, and its reach is the table's."""
    pytest.importorskip("vl_convert", reason="needs the extra report")
    monkeypatch.setenv("INSTAGRAM_REPORT_ACCOUNT", sandboxes.account.id)
    monkeypatch.setenv("INSTAGRAM_REPORT_FOLDER", str(tmp_path))
    with receive_mails() as mails:
        run = run_dag(load(FILES[0].with_name("instagram_report.py")), END)
    assert run.state == "success"
    [mail] = mails
    assert (mail["to"], mail["subject"]) == ("analysts@example.com", f"Instagram: the 28 days up to {YESTERDAY}")
    [attached] = mail.iter_attachments()
    sent = attached.get_content()
    assert (sent if isinstance(sent, bytes) else sent.encode()).split() == (
        (tmp_path / f"{YESTERDAY}.html").read_bytes().split()
    )
    page = ReadPage((tmp_path / f"{YESTERDAY}.html").read_text("utf-8"))
    assert (page.scripts, page.html.count("<svg") > 5) == ([], True)
    for key in ("products", "best", "ages", "audience-age", "audience-city", "hours", "coverage"):
        assert page.list_rows(key), key
    rows = sandboxes.rows("instagram_account_insights")
    of_account = [row for row in rows if row["account_id"] == sandboxes.account.id and row["breakdown"] == ""]
    reach = {
        row["metric_date"]: row["value"] for row in of_account if (row["metric"], row["period"]) == ("reach", "day")
    }
    assert len(reach) == 4
    told = {date.fromisoformat(row[0]): read_number(row[1]) for row in page.list_rows("reach")}
    assert {day: number for day, number in told.items() if number is not None} == reach


@pytest.mark.usefixtures("airflow_db")
def test_who_is_told_of_missing_days(sandboxes: Sandboxes) -> None:
    """Of whole tables nobody is told; where a day of one account is gone, one mail names the account and the day."""
    dag = load(ALERTS.with_name("instagram_missing_days.py"))
    sandboxes.run("account", metrics=["reach"], breakdowns={})
    first, second = sandboxes.world.accounts
    with receive_mails() as mails:
        assert run_dag(dag, END).state == "success"
        gone = f"account_id = '{second}' AND metric_date = '{YESTERDAY - DAY}'"
        client = sandboxes.bigquery.client()
        client.query(f"DELETE FROM instagram.instagram_account_insights WHERE {gone}").result()
        client.close()
        assert run_dag(dag, END + DAY).state == "failed"
    [mail] = mails
    missing = f"account {second}, instagram_account_insights: 1 days are missing: {YESTERDAY - DAY}."
    assert (missing if GIVES_NOTIFIER_ERROR else "The log says why.") in mail.text
    assert first not in mail.text


@needs("deadline alerts")
def test_who_is_told_of_a_run_that_is_late() -> None:
    """The triggerer imports the callback by its name, and its mail names the run and the moment that it missed."""
    from tests.support.airflow_versions import DagSerialization

    # Airflow 3.2 renamed it.
    names = ("airflow.triggers.callback:CallbackTrigger", "airflow.triggers.deadline:DeadlineCallbackTrigger")
    dag = load(ALERTS)
    [deadline] = dag.deadline
    assert DagSerialization.from_dict(DagSerialization.to_dict(dag)).deadline
    late = {"dag_id": dag.dag_id, "dag_run_id": "scheduled__2026-11-21T08:00:00+00:00"}
    context = {"dag_run": late, "deadline": {"id": "1", "deadline_time": END + timedelta(hours=6)}}

    async def run(trigger: Any) -> list[Any]:
        return [event.payload async for event in trigger.run()]

    with receive_mails() as mails:
        kwargs = {**deadline.callback.kwargs, "context": context}
        events = asyncio.run(run(find("CallbackTrigger", names)(deadline.callback.path, kwargs)))
    assert [event["state"].value for event in events] == ["running", "success"], events
    [mail] = mails
    assert mail["subject"] == "Instagram: instagram_alerts is overdue"
    assert f"{late['dag_run_id']} should have ended by 2026-11-21 14:00:00+00:00" in mail.text
    assert START + deadline.interval == END + timedelta(hours=6)


def test_the_package_holds_the_examples() -> None:
    """The wheel has them from the folder at the top level; in the source tree a link leads there, not a copy."""
    shipped = Path(package.__file__).parent / "example_dags"
    read = {each.name: each.read_text("utf-8") for each in shipped.glob("*.py")}
    assert read == {each.name: each.read_text("utf-8") for each in FILES[0].parent.glob("*.py")}
    if (FILES[0].parents[1] / package.__name__).exists():
        assert shipped.resolve() == FILES[0].parent.resolve()


@needs("examples of providers")
def test_airflow_shows_the_examples_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``[core] load_examples`` they are a bundle of their own, in the list of every new Airflow."""
    from airflow.dag_processing.bundles import manager

    # From Airflow 3.4 on, a process reads its bundles once.
    if kept := getattr(manager, "_load_bundle_config_snapshot", None):
        monkeypatch.setattr(manager, kept.__name__, kept.__wrapped__)
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    bundle = manager.DagBundlesManager().get_bundle("airflow-provider-iginsights-example-dags")
    assert sorted(path.name for path in bundle.path.glob("*.py")) == [path.name for path in FILES]


@pytest.mark.usefixtures("airflow_db")
def test_the_token_is_renewed_for_the_next_task(sandboxes: Sandboxes) -> None:
    """The Dag exchanges a token that ends in 9 days; the alarm and the next run find the new one in the Variable."""
    from airflow.models.variable import Variable

    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    name, old = "instagram_default_access_token", "c0ffee|under/no+known=shape"
    sandboxes.world.put(Token(old, "user", expires_at=NOW + 9 * DAY))
    extra = {"app_id": APP_ID, "app_secret": APP_SECRET, "token_variable": name}
    sandboxes.connect(password=old, extra=extra)
    run = run_dag(load(next(path for path in FILES if path.stem == "instagram_refresh_token")), END)
    assert {instance.task_id: str(instance.state) for instance in run.get_task_instances()} == {
        "refresh_token": "success",
        "token_expires": "success",
    }
    new = InstagramHook().connection.settings.token
    assert new in sandboxes.world.tokens
    assert new != old
    Variable.delete(name)
    database = Path(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///"))
    kept = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    assert b"refresh_token" in kept
    for secret in (old, new, APP_SECRET):
        assert secret.encode() not in kept
