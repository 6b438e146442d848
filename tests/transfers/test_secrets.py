"""No token, app secret, appsecret_proof or salt is ever where somebody could read it: on success or on any failure."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from airflow_provider_iginsights._compat import AirflowRescheduleException
from airflow_provider_iginsights.errors import HashSaltMismatch, InsightsError
from airflow_provider_iginsights.sandbox.graph import Token, World, appsecret_proof
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from tests.support.sandboxes import NOW, TRANSFERS, Sandboxes, open_sandboxes
from tests.support.secrecy import gather
from tests.support.transfers.bad_input import MISTAKES, Mistake, throttle

TOKEN = "EAAG-secret|token/7+Zq"
TOKENS = (TOKEN, "EAAGodd", "EAAGnobody")
"""The sandboxes' token, and what some mistakes put in its place; likewise the app's secret."""
APP_SECRETS = (APP_SECRET, "not-this-one")
SALT, OTHER_SALT = "dGhlIHNhbHQgb2YgdGhlIGJyYW5k", "dGhlIHNhbHQgb2Ygc29tZWJvZHkgZWxzZQ"
HASHES = {"hash_columns": "username", "hash_salt_conn_id": "salt"}
PROOFS = [appsecret_proof(token, secret) for token in TOKENS for secret in APP_SECRETS]
SECRETS = [*TOKENS, *(quote(token, safe="") for token in TOKENS), *APP_SECRETS, *PROOFS, SALT, OTHER_SALT]


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one small account and a connection full of secrets."""
    world = World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=1)
    world.put(Token(TOKEN, "system_user"))
    salts = {
        f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": "generic", "password": salt})
        for name, salt in (("SALT", SALT), ("OTHER", OTHER_SALT))
    }
    with open_sandboxes(world, environment=salts) as opened:
        opened.token, opened.extra = TOKEN, {"app_secret": APP_SECRET}
        opened.connect()
        yield opened


def assert_clean(**places: object) -> None:
    """Fail for the first place whose text holds a secret."""
    for place, text in places.items():
        held = [secret for secret in SECRETS if secret in str(text) or secret in repr(text)]
        assert held == [], f"{place} holds a secret"


def assert_nothing_tells(
    sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Look through logs, console, XCom, URLs, statements, labels, jobs and rows."""
    printed = capfd.readouterr()
    records = [(record.getMessage(), record.args, record.exc_text, record.__dict__) for record in caplog.records]
    # Meta takes the proof as a parameter of the URL and in no other way; nothing else of the connection is in there.
    queries = [
        {name: value for name, value in received.query.items() if name != "appsecret_proof"}
        for received in sandboxes.graph.log
    ]
    assert not any(received.token_in_url for received in sandboxes.graph.log)
    assert_clean(
        logs=records,
        stdout=printed.out,
        stderr=printed.err,
        pushed=json.dumps(sandboxes.instance.pushed, default=str),
        graph_urls=[(received.path, received.items) for received in sandboxes.graph.log],
        graph_queries=queries,
        bigquery_urls=sandboxes.bigquery.log,
        bigquery_jobs=sandboxes.bigquery.jobs,
        bigquery_rows=sandboxes.everything(),
    )


@pytest.mark.parametrize("kind", TRANSFERS)
def test_success(
    sandboxes: Sandboxes, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A good run, every logger at DEBUG, shows no secret to anybody."""
    caplog.set_level(logging.DEBUG)
    summary = sandboxes.run(kind, **HASHES)
    assert summary["rows"] > 0
    assert any(record.name.startswith("urllib3") for record in caplog.records), "the chattiest logger was heard"
    assert any("appsecret_proof" in received.query for received in sandboxes.graph.log)
    assert_clean(summary=summary)
    assert_nothing_tells(sandboxes, caplog, capfd)


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_failure(
    sandboxes: Sandboxes, mistake: Mistake, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither an error's text, repr and attributes nor the traceback of its whole chain shows a secret."""
    caplog.set_level(logging.DEBUG)
    mistake.prepare(sandboxes)
    with pytest.raises(InsightsError) as caught:
        sandboxes.run(mistake.kind, **HASHES, **mistake.arguments)
    error: BaseException | None = caught.value
    assert_clean(traceback="".join(traceback.format_exception(caught.value)))
    while error is not None:
        assert_clean(error=error, attributes=vars(error), arguments=error.args)
        error = error.__cause__ or error.__context__
    sandboxes.bigquery.switches.denied_datasets.clear()
    sandboxes.bigquery.faults.clear()
    if mistake.arguments.get("dataset_id") is None and "incompatible" not in mistake.prepare.__name__:
        assert_nothing_tells(sandboxes, caplog, capfd)


def test_another_salt(
    sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The refusal of a salt shows neither it nor the one before."""
    caplog.set_level(logging.DEBUG)
    sandboxes.run("media", **HASHES)
    with pytest.raises(HashSaltMismatch) as caught:
        sandboxes.run("media", **(HASHES | {"hash_salt_conn_id": "other"}))
    assert_clean(everything=gather(caught.value))
    assert_nothing_tells(sandboxes, caplog, capfd)


def test_operators_hold_no_secret(sandboxes: Sandboxes) -> None:
    """Before and after a run, an operator's repr, its fields and its serialized Dag know the connection by id alone."""
    from airflow_provider_iginsights._compat import DAG
    from tests.support.airflow_versions import DagSerialization

    with DAG("brand", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        operators = [
            TRANSFERS[kind](task_id=kind, dataset_id="instagram", gcp_conn_id=None, **HASHES) for kind in TRANSFERS
        ]
    for operator in operators:
        operator.create_dataset = True
        operator.execute({"ti": sandboxes.instance})
        assert_clean(repr=repr(operator), fields={name: getattr(operator, name) for name in operator.template_fields})
        assert_clean(attributes=vars(operator))
    assert_clean(serialized=DagSerialization.to_dict(dag))


@pytest.mark.parametrize("kind", TRANSFERS)
def test_instagram_login(sandboxes: Sandboxes, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without batches every request is a URL of its own: the token is in none of them, and in no log."""
    caplog.set_level(logging.DEBUG)
    token = sandboxes.world.instagram_token(sandboxes.account.id)
    sandboxes.connect(host=sandboxes.graph.instagram_url, password=token, extra={})
    sandboxes.run(kind, metrics=["reach"])
    assert sandboxes.graph.log
    assert all(received.has_bearer and not received.token_in_url for received in sandboxes.graph.log)
    assert token not in str([received.query for received in sandboxes.graph.log])
    assert token not in caplog.text


def test_throttled(sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """A task that steps aside for Meta's rate limit puts down no secret."""
    caplog.set_level(logging.DEBUG)
    throttle(sandboxes)
    with pytest.raises(AirflowRescheduleException) as caught:
        sandboxes.run("account", **HASHES)
    assert_clean(traceback="".join(traceback.format_exception(caught.value)), attributes=vars(caught.value))
    assert_nothing_tells(sandboxes, caplog, capfd)
