"""The plugin: nothing until it is asked for, then a receiver that keeps asset events in Airflow's own database."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.sandbox.server import Server
from airflow_provider_iginsights.webhooks.asset import ASSET_NAME, ASSET_URI
from airflow_provider_iginsights.webhooks.verification import sign
from tests.support.airflow_versions import needs
from tests.support.webhooks.messages import message

pytestmark = needs("assets")

SECRET, TOKEN = "secret-of-the-app", "token-of-the-app"
EXTRA = {"app_secret": SECRET, "webhook_verify_token": TOKEN}
SCRIPT = """
import sys
import airflow.plugins_manager, airflow.sdk
from airflow.configuration import conf
before = set(sys.modules)
from airflow_provider_iginsights.plugins.webhook_plugin import InstagramWebhookPlugin
plugin = InstagramWebhookPlugin()
apps = plugin.fastapi_apps
print([name for name in sorted(set(sys.modules) - before) if "airflow_provider" in name or "starlette" in name])
print([(app["url_prefix"], app["name"]) for app in apps])
"""


def load_plugin(**environment: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return what the plugin loads in a fresh interpreter, and what it mounts."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    loaded, mounted = done.stdout.splitlines()[-2:]
    return ast.literal_eval(loaded), ast.literal_eval(mounted)


def test_off_by_default() -> None:
    """Without webhook_conn_id nothing is mounted and nothing is loaded beyond the plugin's own small module."""
    loaded, mounted = load_plugin()
    assert mounted == []
    assert set(loaded) <= {
        "airflow_provider_iginsights",
        "airflow_provider_iginsights._compat",
        "airflow_provider_iginsights.plugins",
        "airflow_provider_iginsights.plugins.webhook_plugin",
        # Airflow reads the package's options from it when it first looks into its configuration.
        "airflow_provider_iginsights.get_provider_info",
        "airflow_provider_iginsights.graph_api",
        "airflow_provider_iginsights.errors",
    }


def test_on_by_one_setting() -> None:
    """With webhook_conn_id the receiver is mounted; the connection need not exist yet."""
    loaded, mounted = load_plugin(AIRFLOW__INSTAGRAM__WEBHOOK_CONN_ID="not_there_yet")
    assert mounted == [("/instagram", "instagram_webhook")]
    assert "airflow_provider_iginsights.webhooks.receiver" in loaded


def test_airflow_takes_the_plugin() -> None:
    """It passes Airflow's own check of what a plugin is."""
    from airflow.plugins_manager import ensure_plugins_loaded, is_valid_plugin

    from airflow_provider_iginsights.plugins.webhook_plugin import InstagramWebhookPlugin

    ensure_plugins_loaded()
    assert is_valid_plugin(InstagramWebhookPlugin)


@pytest.fixture
def no_asset(airflow_db: None) -> Iterator[None]:
    """Hide the asset where an example Dag has made it known to Airflow, for as long as the test runs."""
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    known = select(AssetModel).where(AssetModel.name == ASSET_NAME, AssetModel.uri == ASSET_URI)
    with create_session() as session:
        session.execute(delete(AssetActive).where(AssetActive.name == ASSET_NAME))
        hidden = session.scalar(known)
        if hidden:
            hidden.name, hidden.uri = f"{ASSET_NAME}_hidden", f"{ASSET_URI}/hidden"
        hidden_id = hidden.id if hidden else None
    yield
    with create_session() as session:
        if hidden_id:
            model = session.get(AssetModel, hidden_id)
            model.name, model.uri = ASSET_NAME, ASSET_URI
            session.flush()
            session.add(AssetActive.for_asset(model))


@pytest.fixture
def asset(no_asset: None) -> Iterator[int]:
    """Let Airflow know the asset, and forget it and its events afterwards."""
    from airflow.models.asset import AssetActive, AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        model = AssetModel(name=ASSET_NAME, uri=ASSET_URI, group="asset", extra={})
        session.add(model)
        session.flush()
        session.add(AssetActive.for_asset(model))
        asset_id = model.id
    yield asset_id
    with create_session() as session:
        session.execute(delete(AssetEvent).where(AssetEvent.asset_id == asset_id))
        session.execute(delete(AssetActive).where(AssetActive.name == ASSET_NAME))
        session.execute(delete(AssetModel).where(AssetModel.id == asset_id))


@pytest.fixture
def newest(airflow_db: None) -> int:
    """Return the id of the newest event that Airflow has before the test, which other tests may have left; 0 = none."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import func

    with create_session() as session:
        return session.query(func.max(AssetEvent.id)).scalar() or 0


def stored(newest: int) -> list[tuple[int, Any]]:
    """Return the asset and extra of every event that Airflow has after this one."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(AssetEvent).filter(AssetEvent.id > newest).order_by(AssetEvent.id)
        return [(event.asset_id, event.extra) for event in found]


def test_a_call_becomes_an_event(asset: int, newest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signed POST to the mounted application is an event with the message in its extra when it is answered."""
    from airflow_provider_iginsights.plugins.webhook_plugin import InstagramWebhookPlugin

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WEBHOOK_CONN_ID", "instagram_hooked")
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_HOOKED", json.dumps({"conn_type": "instagram", "extra": EXTRA}))
    (mounted,) = InstagramWebhookPlugin().fastapi_apps
    body = json.dumps(message()).encode()
    with Server(mounted["app"]) as server:
        answer = requests.post(
            f"{server.url}/webhook", data=body, headers={"X-Hub-Signature-256": sign(body, SECRET)}, timeout=30
        )
    assert (answer.status_code, stored(newest)) == (200, [(asset, {"payload": [message()]})])


def test_an_unknown_asset_is_an_error(no_asset: None, newest: int) -> None:
    """Where no Dag is scheduled on the asset, nothing is kept, and the message says what to do."""
    from airflow_provider_iginsights.plugins.asset_events import keep_notifications

    with pytest.raises(ConfigurationError, match=rf"no asset '{ASSET_NAME}'.*scheduled on"):
        keep_notifications([message()])
    assert stored(newest) == []


@pytest.mark.usefixtures("asset")
def test_an_event_renews_the_queue_entry(asset: int, newest: int) -> None:
    """A Dag that is queued already is queued anew, so that its run reads the new event too and not only the first."""
    from airflow.models.asset import AssetDagRunQueue, AssetEvent, DagScheduleAssetReference
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    from airflow_provider_iginsights.plugins.asset_events import keep_notifications

    long_ago = datetime.now(UTC) - timedelta(hours=1)
    with create_session() as session:
        session.add(DagBundleModel(name="bundle"))
        session.flush()
        session.add(DagModel(dag_id="consumer", bundle_name="bundle", is_paused=False, fileloc="x"))
        session.flush()
        session.add(DagScheduleAssetReference(dag_id="consumer", asset_id=asset))
        if not hasattr(AssetDagRunQueue, "asset_event_id"):  # from Airflow 3.4 on, each event is queued by itself
            session.add(AssetDagRunQueue(target_dag_id="consumer", asset_id=asset, created_at=long_ago))
    try:
        keep_notifications([message()])
        with create_session() as session:
            queued = session.query(AssetDagRunQueue).filter(AssetDagRunQueue.asset_id == asset).one()
            event = session.query(AssetEvent).filter(AssetEvent.id > newest).one()
            assert queued.created_at >= event.timestamp > long_ago
    finally:
        with create_session() as session:
            session.execute(delete(AssetDagRunQueue).where(AssetDagRunQueue.target_dag_id == "consumer"))
            session.execute(delete(DagScheduleAssetReference).where(DagScheduleAssetReference.dag_id == "consumer"))
            session.execute(delete(DagModel).where(DagModel.dag_id == "consumer"))
            session.execute(delete(DagBundleModel).where(DagBundleModel.name == "bundle"))


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that defines the connection ``hooked`` with these extras."""

    def define(**extra: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_HOOKED", json.dumps({"conn_type": "instagram", "extra": extra}))

    return define


def test_secrets_come_from_the_connection_and_are_read_again(connect: Any) -> None:
    """Both secrets are extras of the connection; no access token is needed; a change is seen after a minute."""
    from airflow_provider_iginsights.plugins.webhook_app import SecretsOfConnection

    now = 0.0
    connect(**EXTRA)
    secrets = SecretsOfConnection("hooked", clock=lambda: now)
    assert (secrets().app_secret, secrets().verify_token) == (SECRET, TOKEN)
    connect(**EXTRA | {"app_secret": "rotated"})
    assert secrets().app_secret == SECRET
    now = 61.0
    assert secrets().app_secret == "rotated"


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({}, "no app_secret and no webhook_verify_token"),
        ({"app_secret": SECRET}, "has no webhook_verify_token"),
        ({"webhook_verify_token": TOKEN}, "has no app_secret"),
        ({"app_secret": "two words", "webhook_verify_token": TOKEN}, "app_secret is not what it should be"),
    ],
)
def test_missing_secrets_are_named(connect: Any, extra: dict[str, str], named: str) -> None:
    """What a connection lacks is said by name, without the value of the other."""
    from airflow_provider_iginsights.plugins.webhook_app import SecretsOfConnection

    connect(**extra)
    with pytest.raises(ConfigurationError, match=named) as caught:
        SecretsOfConnection("hooked")()
    assert SECRET not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_missing_connection_is_named() -> None:
    """An id that Airflow does not know is named."""
    from airflow_provider_iginsights.plugins.webhook_app import SecretsOfConnection

    with pytest.raises(ConfigurationError, match="no connection 'nowhere'"):
        SecretsOfConnection("nowhere")()


@pytest.mark.parametrize(("conn_id", "warnings"), [("", 0), ("hooked", 1)])
def test_an_airflow_without_assets_is_told(
    conn_id: str, warnings: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On Airflow 2, which cannot have the receiver, the setting causes one warning and its absence none."""
    from airflow_provider_iginsights.plugins import webhook_plugin

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WEBHOOK_CONN_ID", conn_id)
    monkeypatch.setattr(webhook_plugin, "find_spec", lambda name: None)
    webhook_plugin.InstagramWebhookPlugin.on_load()
    assert caplog.text.count("needs Airflow 3") == warnings
