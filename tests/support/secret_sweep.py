"""What is done, and what can go wrong with it, while :mod:`.secret_watch` looks for secrets in all that is shown.

``python -m tests.support.secret_sweep [ACT …]`` does each act with each fault, which takes minutes.
tests/test_secrets.py does each act once and each fault once.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
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
from airflow_provider_iginsights.sandbox.bigquery import BigQueryError, BigQueryFault
from airflow_provider_iginsights.sandbox.graph import (
    SHAPES,
    DropAfterHeaders,
    DropConnection,
    Edit,
    ErrorEffect,
    GraphFault,
    HtmlBody,
    NullItem,
    ServedVersion,
    Token,
    TruncatedBody,
    World,
    appsecret_proof,
)
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID
from airflow_provider_iginsights.sandbox.server import Server
from airflow_provider_iginsights.testing import set_testing
from airflow_provider_iginsights.webhooks.receiver import Receiver
from airflow_provider_iginsights.webhooks.verification import WebhookSecrets, sign
from tests.support.airflow_versions import DagSerialization
from tests.support.cassettes import recording
from tests.support.sandboxes import DATASET, NOW, TRANSFERS, Sandboxes, TaskStateStore, open_sandboxes
from tests.support.secret_watch import SecretWatch, list_readable_by_others, watch_secrets

# Like no token of Meta's, so that nothing but its value gives it away; with what URLs and JSON write in another way.
TOKEN = "c0ffee|under/no+known=shape"
VARIABLE = "brand_access_token"
SECRET, VERIFY, SALT = "a5ecret/of+the|app", "verify+this|word", "dGhlIHNhbHQgb2YgdGhlIGJyYW5k"
PASSWORD = "EAAGtheConnectionsOwn0"
EVERYTHING = {
    "token of the Variable": TOKEN,
    "password of the connection": PASSWORD,
    "app secret": SECRET,
    "proof": appsecret_proof(TOKEN, SECRET),
    "proof of the password": appsecret_proof(PASSWORD, SECRET),
    "verify token": VERIFY,
    "salt": SALT,
}
QUOTING = f"Malformed access token {TOKEN} {PASSWORD} {SECRET} {EVERYTHING['proof']} access_token={TOKEN}"


def fault(effect: Any, **where: Any) -> Callable[[Sandboxes], None]:
    """Return what lets this happen to each answer of the Graph API."""
    return lambda sandboxes: sandboxes.graph.faults.add(GraphFault(effect=effect, times=None, **where))


def deny_jobs(sandboxes: Sandboxes) -> None:
    """Let BigQuery refuse each job."""
    sandboxes.bigquery.faults.add(BigQueryFault("POST /bigquery/.*/jobs$", "accessDenied", times=None))


FAULTS: dict[str, Callable[[Sandboxes], None]] = {
    "nothing": lambda _: None,
    **{f"quoted, code {code}": fault(ErrorEffect(code, message=QUOTING)) for code in (1, 4, 10, 100, 190, 368, 99999)},
    "quoted by one post": fault(ErrorEffect(100, 33, message=QUOTING), object_id="17800000010000000"),
    "quoted by one metric": fault(ErrorEffect(100, message=QUOTING), metric="saved"),
    "quoted as a value": fault(Edit("value", lambda _: {"odd": QUOTING, "list": [TOKEN]})),
    "quoted as an end_time": fault(Edit("end_time", lambda _: QUOTING)),
    "quoted as an id": fault(Edit("id", lambda _: QUOTING), path="media"),
    "no JSON": fault(HtmlBody(502)),
    "dropped": fault(DropConnection()),
    "no body": fault(DropAfterHeaders()),
    "cut": fault(TruncatedBody()),
    "no item": fault(NullItem()),
    "another version": fault(ServedVersion("v26.0")),
    **{name: fault(shape.effect, path=shape.path) for name, shape in SHAPES.items()},
    "no job": deny_jobs,
}
"""What can go wrong: each odd answer that the sandbox plays, secrets that Meta quotes back, a broken network."""


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
        raise RuntimeError(f"nowhere to keep it: {len(VERIFY)}")

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


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Serve one small account, and let its connection have secrets in all places; record all that Meta answers."""
    world = World.build(now=NOW, accounts=1, media_per_account=2, stories_per_account=1)
    world.put(Token(TOKEN, "user", app_secret=SECRET, expires_at=NOW + timedelta(days=9)))
    environment = {
        "AIRFLOW_CONN_SALT": json.dumps({"conn_type": "generic", "password": SALT}),
        f"AIRFLOW_VAR_{VARIABLE.upper()}": json.dumps({"access_token": TOKEN}),
    }
    pages = {f"token of Page {number}": world.page_token(each) for number, each in enumerate(world.accounts)}
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_sandboxes(world, environment=environment))
        stack.enter_context(set_testing())
        stack.enter_context(patch.object(tempfile, "tempdir", str(folder)))
        watch = stack.enter_context(watch_secrets(EVERYTHING | pages))
        stack.enter_context(recording(folder / "cassette"))
        extra = {"app_id": APP_ID, "app_secret": SECRET, "token_variable": VARIABLE, "webhook_verify_token": VERIFY}
        sandboxes.connect(password=PASSWORD, extra=extra)
        yield Stage(sandboxes, watch, folder)


def sweep(acts: Sequence[str]) -> int:
    """Do each act with each fault, print what shows a secret, and return how many pairs do."""
    found = 0
    with tempfile.TemporaryDirectory() as folder, open_stage(Path(folder)) as stage:
        for act in acts:
            for name, spoil in FAULTS.items():
                stage.watch.shown.clear()
                spoil(stage.sandboxes)
                said = StringIO()
                with redirect_stdout(said), redirect_stderr(said):
                    ACTS[act](stage)
                stage.watch.show("output", said.getvalue())
                stage.finish()
                stage.show_tables()
                for line in (lines := stage.watch.find()):
                    print(f"{act}, {name}: {line}", file=sys.__stdout__, flush=True)
                found += bool(lines)
        print(f"{len(acts) * len(FAULTS)} pairs of an act and a fault, {found} of which show a secret.")
        stage.watch.shown.clear()
        stage.show_what_stays()
        print(f"In {len(stage.watch.shown)} files and tables that stay: {stage.watch.find()}")
        print("Readable by others:", list_readable_by_others(stage.watch))
    return found


if __name__ == "__main__":
    sys.exit(bool(sweep(sys.argv[1:] or list(ACTS))))
