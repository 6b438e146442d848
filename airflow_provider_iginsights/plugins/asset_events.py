"""Keeps a notification as an event of an Airflow asset, in Airflow's own database, before Meta's call is answered.

It is written from within the API server, in one transaction: event and queue entry of the Dags that wait for it are
there together or not at all, and no user, password or token of Airflow is needed, as ``POST /assets/events`` would.

Airflow starts a run with the events up to the time at which its Dag was *first* queued: one that arrives while the
Dag is queued already would wait for the next event, and of two that are written at the same time, one could be passed
over for good. So one notification is written at a time, and each one renews the time of the queue entry.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.webhooks.asset import ASSET_NAME, ASSET_URI, PAYLOAD_KEY

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def keep_notifications(notifications: list[dict[str, Any]]) -> None:
    """Store notifications as one event of the asset; they are durable when this returns.

    :raises ConfigurationError: no Dag names the asset, so Airflow does not know it.
    """
    from airflow.utils.session import create_session

    with create_session() as session:
        _register(notifications, session)


def _register(notifications: list[dict[str, Any]], session: Session) -> None:
    from airflow.assets.manager import asset_manager
    from airflow.models.asset import AssetDagRunQueue, AssetModel
    from sqlalchemy import select, update

    its_own = (AssetModel.name == ASSET_NAME, AssetModel.uri == ASSET_URI)
    # Changes nothing, but locks the asset (on SQLite the database): whoever comes next waits here until the commit.
    session.execute(update(AssetModel).where(*its_own).values(name=AssetModel.name))
    asset = session.scalar(select(AssetModel).where(*its_own))
    if asset is None:
        raise _unknown_asset()
    # A scheduler that is using up the queue entry is waited for; one that comes later leaves it until the commit.
    queued = AssetDagRunQueue.asset_id == asset.id
    session.execute(select(AssetDagRunQueue.target_dag_id).where(queued).with_for_update()).all()
    kept = asset_manager.register_asset_change(asset=asset, extra={PAYLOAD_KEY: notifications}, session=session)
    if kept is None:
        raise _unknown_asset()
    session.flush()
    if hasattr(
        AssetDagRunQueue, "asset_event_id"
    ):  # Airflow 3.4 queues each event, older ones only that there are some
        return
    session.execute(update(AssetDagRunQueue).where(queued).values(created_at=datetime.now(UTC)))


def _unknown_asset() -> ConfigurationError:
    return ConfigurationError(
        f"Airflow knows no asset {ASSET_NAME!r} ({ASSET_URI}). It learns of it from a Dag that is scheduled on "
        f"Asset(name={ASSET_NAME!r}, uri={ASSET_URI!r})."
    )
