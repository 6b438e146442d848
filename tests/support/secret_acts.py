"""What is done with secrets at hand, each act once and by its name, and the stage on which it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from airflow_provider_iginsights._compat import DAG, AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.assets import table_asset
from airflow_provider_iginsights.cassettes.exchange import split_relative_url
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.operators.report import InstagramInsightsReportOperator
from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator
from airflow_provider_iginsights.sandbox.bigquery import BigQueryError
from airflow_provider_iginsights.sandbox.server import Server
from airflow_provider_iginsights.webhooks.receiver import Receiver
from airflow_provider_iginsights.webhooks.verification import WebhookSecrets, sign
from tests.support.airflow_versions import DagSerialization
from tests.support.sandboxes import DATASET, NOW, TRANSFERS, Sandboxes, TaskStateStore
from tests.support.secret_faults import SECRET, VERIFY
from tests.support.secret_watch import SecretWatch


class OutletEvents:
    """What the task runner puts into the context. An asset is its URI here, since Airflow 3.0 cannot hash one."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def __getitem__(self, asset: Any) -> Any:
        """Return the event of an asset."""
        return self.told.setdefault(asset.uri, SimpleNamespace(extra={}))


class Stage:
    """The sandboxes, and what watches them."""

    def __init__(self, sandboxes: Sandboxes, watch: SecretWatch, folder: Path) -> None:
        self.sandboxes, self.watch, self.folder = sandboxes, watch, folder

    def attempt(self, do: Callable[[], Any]) -> None:
        """Do something, and show how it ended."""
        try:
            self.watch.show("results", do())
        except TaskDeferred as error:
            self.watch.show("triggers", (error.trigger.serialize(), error.kwargs, error.method_name))
        except (InsightsError, AirflowRescheduleException, SystemExit) as error:
            self.watch.show_error(error)

    def execute(self, operator: Any) -> None:
        """Run an operator as a worker does, and show all that Airflow keeps of it."""
        store, sandboxes = TaskStateStore(), self.sandboxes
        context = {"ti": sandboxes.instance, "data_interval_start": NOW - timedelta(days=1), "data_interval_end": NOW}
        events = OutletEvents()
        context |= {"task_state_store": store, "outlet_events": events}
        self.attempt(lambda: operator.execute(context))
        self.watch.show("rendered fields", {name: getattr(operator, name) for name in operator.template_fields})
        self.watch.show("attributes of operators", (repr(operator), vars(operator)))
        self.watch.show("task state", store)
        self.watch.show("assets", events.told)
        self.watch.show("XCom", sandboxes.instance.pushed)
        for moment in ("start", "complete", "failure"):
            told = getattr(operator, f"get_openlineage_facets_on_{moment}", None)
            self.watch.show("lineage", told(*() if moment == "start" else (None,)) if told else None)

    def finish(self) -> None:
        """Show what is left in Meta's and Google's logs, and what others see of the process; end all faults."""
        sandboxes, watch = self.sandboxes, self.watch
        for received in sandboxes.graph.log:
            items = [(path, drop_allowed(params)) for path, params in map(split_relative_url, received.items)]
            watch.show("addresses at Meta", (received.path, drop_allowed(received.query), items))
        watch.show("addresses at Google", sandboxes.bigquery.log)
        watch.show("jobs and statements", sandboxes.bigquery.jobs)
        watch.show_process()
        sandboxes.graph.faults.clear()
        sandboxes.graph.clear_log()
        sandboxes.bigquery.faults.clear()
        sandboxes.bigquery.log.clear()

    def show_what_stays(self) -> None:
        """Show what is in BigQuery, and all files: the cassette of all that was asked among them."""
        self.show_tables()
        self.watch.show_files(self.folder)

    def show_tables(self) -> None:
        """Show the rows of all tables."""
        with suppress(BigQueryError):
            for table_id in self.sandboxes.bigquery.tables(DATASET):
                self.watch.show(f"table {table_id}", self.sandboxes.bigquery.rows(DATASET, table_id))


def drop_allowed(query: Mapping[str, str]) -> dict[str, str]:
    """Return parameters without those that Meta takes in the query, or in an item of a batch, and nowhere else."""
    allowed = {"appsecret_proof", "input_token", "client_secret", "fb_exchange_token"}
    return {name: value for name, value in query.items() if name not in allowed}


def make_transfer(kind: str, **arguments: Any) -> Any:
    """Return a transfer that writes down its runs and what it leaves out, and hashes names."""
    options: dict[str, Any] = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True, "metrics": ["reach"]}
    options |= {"hash_columns": "username", "hash_salt_conn_id": "salt"}
    options |= {"outlets": [table_asset("sandbox-project", DATASET, f"instagram_{kind}_insights")]}
    return TRANSFERS[kind](task_id=kind, **options | arguments)


def transfer(kind: str, **arguments: Any) -> Callable[[Stage], None]:
    """Return an act: run a transfer."""
    return lambda stage: stage.execute(make_transfer(kind, **arguments))


def read(kind: Any) -> Callable[[Stage], None]:
    """Return an act: read rows by the hook."""
    return lambda stage: stage.attempt(lambda: list(InstagramHook().read(kind, since="2026-11-20", until="2026-11-21")))


def command(*words: str) -> Callable[[Stage], None]:
    """Return an act: a command, whose output the test shows."""
    return lambda stage: stage.attempt(lambda: main(words))


def refresh(stage: Stage) -> None:
    """Exchange the token; the new one is a secret from then on."""

    def keep(token: Any) -> None:
        stage.watch.secrets["refreshed token"] = token.value
        stage.watch.show("refreshed tokens", token)

    stage.execute(InstagramRefreshTokenOperator(task_id="refresh", token_sink=keep, days_left=400))


def report(stage: Stage) -> None:
    """Make the report of the account, whose numbers are there from then on."""
    try:
        stage.sandboxes.bigquery.rows(DATASET, "instagram_account_insights")
    except BigQueryError:
        transfer("account", lookback_days=0)(stage)
    path = stage.folder / "report.html"
    stage.execute(
        InstagramInsightsReportOperator(
            task_id="report", dataset_id=DATASET, path=str(path), charts="none", gcp_conn_id=None
        )
    )
    if path.exists():
        stage.watch.show("reports", path.read_text("utf-8"))


def serialize(stage: Stage) -> None:
    """Let Airflow serialize a Dag of all operators."""
    with DAG("brand", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        for kind in TRANSFERS:
            make_transfer(kind)
        InstagramListAccountsOperator(task_id="list")
        InstagramTokenExpiresOperator(task_id="expires")
    stage.watch.show("serialized Dags", DagSerialization.to_dict(dag))


def receive(stage: Stage) -> None:
    """Send the receiver what is right and what is forged."""

    def fail(_: object) -> None:
        raise RuntimeError("nowhere to keep it")

    secrets = WebhookSecrets(app_secret=SECRET, verify_token=VERIFY)
    with Server(Receiver(secrets=lambda: secrets, keep=fail).make_app(), name="receiver") as server:
        for word in (VERIFY, f"{VERIFY}!"):
            query = urlencode({"hub.mode": "subscribe", "hub.verify_token": word, "hub.challenge": "1158201444"})
            stage.watch.show("answers of the receiver", send(server.port, "GET", f"/webhook?{query}"))
        for body in (b"{}", b"no JSON"):
            for signature in (sign(body, SECRET), "sha256=00"):
                headers = {"X-Hub-Signature-256": signature}
                answer = send(server.port, "POST", "/webhook", body=body, headers=headers)
                stage.watch.show("answers of the receiver", answer)


def send(port: int, method: str, target: str, **options: Any) -> tuple[bytes, object]:
    """Return body and headers of an answer. Unlike an HTTP library, this writes no log: the caller is Meta."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, target, **options)
        answer = connection.getresponse()
        return answer.read(), answer.getheaders()


ACTS: dict[str, Callable[[Stage], None]] = {
    "account transfer": transfer("account", lookback_days=0),
    "media transfer": transfer("media"),
    "story transfer": transfer("story"),
    "deferrable transfer": transfer("story", deferrable=True),
    "account rows": read("account"),
    "media rows": read("media"),
    "story rows": read("story"),
    "list of accounts": lambda stage: stage.execute(InstagramListAccountsOperator(task_id="list")),
    "refreshed token": refresh,
    "end of the token": lambda stage: stage.execute(InstagramTokenExpiresOperator(task_id="expires")),
    "connection test": command("test"),
    "doctor": command("doctor"),
    "doctor with JSON": command("doctor", "--json", "--dataset", DATASET),
    "accounts": command("accounts", "--json"),
    "catalog check": command("metrics", "--check"),
    "Dag file": command("init"),
    "report": report,
    "serialized Dag": serialize,
    "webhooks": receive,
}
