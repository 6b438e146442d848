"""What README.md and docs/ print in blocks does what they say.

Python, SQL and Dag files are run as they are printed; command lines are read by the parser that users have, and those
of `make` by its dry run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter
from packaging.requirements import Requirement

from airflow_provider_iginsights.cli.main import main, make_parser
from airflow_provider_iginsights.hooks.connection import read_connection
from airflow_provider_iginsights.sandbox.graph import Account, Edit, GraphFault, World
from airflow_provider_iginsights.webhooks.payload import find_notifications
from airflow_provider_iginsights.webhooks.verification import sign
from tests.support.dry_runs import dry_run
from tests.support.pages import ROOT, find_block, find_blocks, list_blocks, list_docs, list_pages, read_pages
from tests.support.sandboxes import DATASET, NOW, Sandboxes, open_sandboxes
from tests.support.transfers.dag_runs import dag_of, run
from tests.support.webhooks import messages

PROJECT, ACCOUNT = "my-project", "17841405822304914"
RUN_ELSEWHERE = {
    "Exclude and hash 1": "transfers/test_column_protection.py::test_the_printed_arguments",
    "The salt 2": "transfers/test_column_protection.py::test_the_printed_arguments",
    "As a test 1": "cassettes/test_replay.py::test_the_printed_test",
    "A test of a Dag 1": "test_testing.py::test_the_printed_test_of_a_dag",
    "Odd answers 1": "sandbox/test_graph_shapes.py::test_the_printed_example_runs",
    "No waiting in tests 1": "test_testing.py::test_the_printed_example_runs",
    "With a real token 1": "test_example_dags.py::test_the_first_dag_of_the_readme_runs_as_printed",
    "Renewal 1": "operators/test_token_operators.py::test_the_printed_sink",
    "Rows for another destination 1": "hooks/test_read.py::test_the_printed_example",
    "Airflow, with Cosmos 1": "dbt/test_docs.py::test_the_printed_dag",
    "Airflow, with Cosmos 2": "dbt/test_docs.py::test_the_printed_blocks_fit_the_project",
    "What is in it 1": "dbt/test_docs.py::test_the_printed_blocks_fit_the_project",
    "What is in it 2": "dbt/test_docs.py::test_the_printed_blocks_fit_the_project",
}

BLOCKS = list_blocks()
LINES = [
    line.removeprefix("$ ")
    for block in BLOCKS
    if block.language in ("bash", "console")
    for line in block.text.replace("\\\n", " ").splitlines()
    # What a console block has besides its commands is what they print.
    if block.language == "bash" or line.startswith("$ ")
]
STATEMENTS_OF_AGENCIES = {block.text for block in find_blocks(ROOT / "docs" / "agencies.md") if block.language == "sql"}
"""These create what clients see: tests/test_agencies.py runs them."""
QUERIES = [
    pytest.param(block.text, id=block.key)
    for block in BLOCKS
    if block.language == "sql" and block.text not in STATEMENTS_OF_AGENCIES
]
NOT_RUN = {
    "Project, dataset and roles 1": "asks Google Cloud",
    "On Google Cloud, or on a laptop: application default credentials 1": "opens a browser",
    "Acting as another account: `impersonation_chain` 1": "asks Google Cloud",
}
"""Blocks of the language ``text``, and why no test can run them."""
RUN_HERE = {
    "Table options 1",
    "Many accounts 2",
    "Fan-in: many tasks read, one writes 1",
    "Webhooks: the last numbers of every story 1",
}


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Serve the account that the README names; its numbers of a day are in the project that the README names."""
    world = World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=1)
    world.put(Account(id=ACCOUNT, username="brand", page_id="91"))
    with open_sandboxes(world) as opened:
        opened.bigquery.project = os.environ["GOOGLE_CLOUD_PROJECT"] = PROJECT
        opened.graph.faults.add(GraphFault(effect=Edit("permalink", lambda _: [7]), path="media", times=None))
        for kind in ("account", "media", "story"):
            opened.run(kind, runs_table_id="instagram_runs", left_out_table_id="instagram_left_out")
        yield opened


def test_every_block_is_run() -> None:
    """A block of a language that no test here runs, or of Python that none names, is no example but a promise."""
    keys = {block.key for block in BLOCKS}
    assert len(keys) == len(BLOCKS) == text_count() - count_directives()
    assert {block.language for block in BLOCKS} == {"bash", "console", "sql", "python", "yaml", "text"}
    assert {block.key for block in BLOCKS if block.language == "text"} == NOT_RUN.keys()
    assert {block.key for block in BLOCKS if block.language in ("python", "yaml")} == RUN_HERE | RUN_ELSEWHERE.keys()
    for place in RUN_ELSEWHERE.values():
        path, _, test = place.partition("::")
        assert f"def {test}(" in (ROOT / "tests" / path).read_text("utf-8")


def text_count() -> int:
    """Return how many blocks and directives there are, counted by their fences."""
    return sum(len(re.findall(r"^\s*```", page.read_text("utf-8"), re.MULTILINE)) for page in list_pages()) // 2


def count_directives() -> int:
    """Return how many of them are Sphinx's, which show what stands elsewhere."""
    return sum(len(re.findall(r"^```\{", page.read_text("utf-8"), re.MULTILINE)) for page in list_docs())


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_one(line: str) -> None:
    """Make knows the target, pip the extra, Airflow or this package the command and its options."""
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert dry_run(*words[1:])
    elif words[:2] == ["pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        wanted = Requirement(words[2])
        assert wanted.name == project["name"]
        assert wanted.extras <= project["optional-dependencies"].keys()
    elif words[:2] == ["airflow", "instagram"]:
        assert make_parser().parse_args(words[2:]).command.name == words[2]
    else:
        assert words[:3] in (["airflow", "connections", "add"], ["airflow", "pools", "set"])


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")  # Airflow's own command uses it
@pytest.mark.usefixtures("airflow_db")
def test_the_connection_that_is_added() -> None:
    """Airflow keeps it, and the hook reads out of it what the line says."""
    from airflow.cli.cli_parser import get_parser
    from airflow.models import connection
    from airflow.utils.session import create_session

    [line] = [line for line in LINES if "connections add instagram_default" in line]
    line = line.replace("$TOKEN", "EAAG0").replace('"app_id": "…"', '"app_id": "12"').replace("…", "secret")
    model = connection.Connection
    given = get_parser().parse_args(shlex.split(line)[1:])
    with create_session() as session:
        session.query(model).filter(model.conn_id == given.conn_id).delete()
    given.func(given)
    with create_session() as session:
        kept = session.query(model).filter(model.conn_id == "instagram_default").one()
        read = read_connection(kept, conn_id=kept.conn_id)
        session.delete(kept)
    assert (read.settings.token, read.app_id, read.settings.app_secret) == ("EAAG0", "12", "secret")


def test_make_demo_runs_the_dags_that_the_tests_run() -> None:
    """Its command is that of the test of the demo, and what it installs is the sandbox alone."""
    said = dry_run("demo")
    command = shlex.split(said.splitlines()[-1])
    assert command[-2:] == ["airflow_provider_iginsights", "demo"]
    assert "dev" not in said


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_answers(sandboxes: Sandboxes, query: str) -> None:
    """Over the tables of a day, and the views that the printed command makes of them, it has rows."""
    [views] = re.findall(r"`(airflow instagram tables --views [^`]+)`", read_pages())
    assert main(shlex.split(views)[2:]) == 0
    client = sandboxes.bigquery.client()
    # What Looker Studio fills in where its date range control stands.
    days = [ScalarQueryParameter(f"DS_{name}_DATE", "STRING", "20261121") for name in ("START", "END")]
    given = QueryJobConfig(query_parameters=days if "@DS_" in query else [])
    rows = list(client.query(query, job_config=given).result())
    client.close()
    # Of one snapshot nothing has grown, and each post has one age.
    assert bool(rows) is not any(name in query for name in ("media_growth`(", "post_ages`("))


def test_the_printed_checks(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Both look at every table, and find nothing in good ones."""
    printed = [line for line in LINES if line.startswith("airflow instagram tables")]
    assert len(printed) == 2
    for line in printed:
        assert main(shlex.split(line)[2:]) == 0
        assert f"{PROJECT}.{DATASET}.instagram_account_insights" in capsys.readouterr().out


def test_the_printed_erasure(sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal nothing is erased; with one that says yes, the account is, and nobody else."""
    [line] = [line for line in LINES if line.startswith("airflow instagram forget")]
    before = {row["account_id"] for row in sandboxes.rows("instagram_account_insights")}
    assert main(shlex.split(line)[2:]) == 2
    assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == before
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert main(shlex.split(line)[2:]) == 0
    assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == before - {ACCOUNT}
    sandboxes.run("account")


def test_the_printed_clearing(sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first sets captions and biographies to NULL, the second puts hashes in place of usernames."""
    first, second = (line for line in LINES if line.startswith("airflow instagram clear"))
    monkeypatch.setenv(
        "AIRFLOW_CONN_INSTAGRAM_SALT", json.dumps({"conn_type": "generic", "password": "a secret salt of ours"})
    )
    assert all(row["caption"] for row in sandboxes.rows("instagram_media") if row["media_product_type"] != "STORY")
    for line in (first, second):
        assert main([*shlex.split(line)[2:], "--yes"]) == 0
    rows = [*sandboxes.rows("instagram_media"), *sandboxes.rows("instagram_accounts")]
    assert {row.get("caption") or row.get("biography") for row in rows} == {None}
    assert {len(row["username"]) for row in rows} == {64}
    for kind in ("account", "media", "story"):
        sandboxes.run(kind)


def test_the_printed_table_options(sandboxes: Sandboxes) -> None:
    """A transfer takes them, and they are those of its tables."""
    names: dict[str, Any] = {}
    exec(compile(find_block("Table options 1"), "README.md", "exec"), names)
    sandboxes.run("story", table_options=names["table_options"], dataset_id="options")
    client = sandboxes.bigquery.client()
    insights, media = (client.get_table(f"options.instagram_{name}") for name in ("story_insights", "media"))
    client.close()
    for table in (insights, media):
        assert table.labels["cost-centre"] == "social"
        assert table.encryption_configuration.kms_key_name.endswith("/cryptoKeys/k")
    assert insights.time_partitioning.expiration_ms == 400 * 24 * 3600 * 1000
    assert media.time_partitioning.expiration_ms is None


@pytest.mark.usefixtures("airflow_db")
def test_the_printed_fan_in(tmp_path: Path) -> None:
    """Its tasks, in a Dag, write the rows of all accounts and leave nothing staged."""
    head = (
        "from airflow_provider_iginsights.transfers import staged_to_bigquery\n"
        "InstagramWriteStagedToBigQueryOperator = staged_to_bigquery.InstagramWriteStagedToBigQueryOperator\n"
        "InstagramAccountInsightsToBigQueryOperator = Account\n"
    )
    body = head + find_block("Fan-in: many tasks read, one writes 1")
    with open_sandboxes() as sandboxes, dag_of(tmp_path, "fan_in", body) as dag:
        client = sandboxes.bigquery.client()
        client.create_dataset(DATASET)
        client.close()
        instances = run(dag)
        assert {str(instance.state) for instance in instances.values()} == {"success"}
        assert {task_id for task_id, _ in instances} == {"accounts", "account_insights", "write_account_insights"}
        rows = sandboxes.rows("instagram_account_insights")
        assert {row["account_id"] for row in rows} == set(sandboxes.world.accounts)
        assert sandboxes.staging() == []


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")  # Airflow's own command uses it
@pytest.mark.usefixtures("airflow_db")
def test_the_printed_pool(tmp_path: Path) -> None:
    """The printed command makes the pool, and all tasks of the printed Dag take a slot of it and load their rows."""
    from airflow.cli.cli_parser import get_parser
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    [line] = [line for line in LINES if "pools set" in line]
    given = get_parser().parse_args(shlex.split(line)[1:])
    given.func(given)
    names = ("Account", "Media")
    head = "".join(f"Instagram{name}InsightsToBigQueryOperator = {name}\n" for name in names)
    body = (
        "from airflow_provider_iginsights.transfers.instagram_to_bigquery import (\n"
        "    InstagramMediaInsightsToBigQueryOperator as Media,\n)\n"
        f"{head}{find_block('Many accounts 2')}"
    )
    with open_sandboxes() as sandboxes, dag_of(tmp_path, "pool", body) as dag:
        client = sandboxes.bigquery.client()
        client.create_dataset(DATASET)
        client.close()
        instances = run(dag)
        assert {(str(instance.state), instance.pool) for instance in instances.values()} == {("success", given.pool)}
        assert len(instances) == len(names)
        assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == set(
            sandboxes.world.accounts
        )
    with create_session() as session:
        pool = session.query(Pool).filter(Pool.pool == given.pool).one()
        assert pool.slots == 4
        session.delete(pool)


class Published(list[bytes]):
    """A topic of a message queue, and the client that publishes to it."""

    def publish(self, topic: str, body: bytes) -> Published:
        """Keep a message."""
        assert topic == "stories"
        self.append(body)
        return self

    def result(self, timeout: float) -> None:
        """Wait until the message is kept."""


SETTINGS = {"VERIFY_TOKEN": "ours", "APP_SECRET": "secret", "TOPIC": "stories"}


def _load_function(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str], published: Published) -> Any:
    """Load the printed function as its host does, with these environment variables and no other of the three."""
    modules = {"functions_framework": {"http": lambda function: function}, "google.cloud.pubsub_v1": {}}
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members, PublisherClient=lambda: published)
        monkeypatch.setitem(sys.modules, name, module)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}
    exec(compile(find_block("Webhooks: the last numbers of every story 1"), "README.md", "exec"), names)
    return names["instagram"]


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("value", [None, ""], ids=["not set", "empty"])
def test_the_printed_function_needs_its_settings(monkeypatch: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    """With an empty secret it would take what anybody signs, so it does not begin."""
    settings = {key: text for key, text in (SETTINGS | {name: value}).items() if text is not None}
    with pytest.raises(SystemExit, match="Set APP_SECRET, TOPIC and VERIFY_TOKEN"):
        _load_function(monkeypatch, settings, Published())


def test_the_printed_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """It confirms our subscription alone, and queues what Meta signed, in which the operator finds the numbers."""
    published = Published()
    answer_call = _load_function(monkeypatch, SETTINGS, published)
    for token, answer in (("ours", ("42", 200)), ("theirs", ("", 403)), ("", ("", 403))):
        args = {"hub.verify_token": token, "hub.challenge": "42", "hub.mode": "subscribe"}
        assert answer_call(SimpleNamespace(method="GET", args=args))[:2] == answer
    body = json.dumps(messages.message()).encode()
    for signature, status in (("sha256=0", 401), (None, 401), (sign(body, "other"), 401), (sign(body, "secret"), 200)):
        headers = {"X-Hub-Signature-256": signature} if signature else {}
        request = SimpleNamespace(method="POST", headers=headers, get_data=lambda: body)
        assert answer_call(request)[1] == status
    assert published == [body]
    assert list(find_notifications(published[0])) == [messages.message()]
