"""The plugin that Airflow loads in each of its processes: a name, and nothing else until the receiver is wanted.

``[instagram] webhook_conn_id`` (``AIRFLOW__INSTAGRAM__WEBHOOK_CONN_ID``) turns the receiver on. Only the API server of
Airflow 3 asks for ``fastapi_apps``, so only there anything is imported for it.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from airflow_provider_iginsights._compat import AirflowPlugin

log: logging.Logger = logging.getLogger(__name__)

PREFIX = "/instagram"
SECTION = "instagram"


class InstagramWebhookPlugin(AirflowPlugin):
    """Mounts the receiver of Instagram's webhooks at ``/instagram/webhook``."""

    name = "instagram_webhook"

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Say so where the receiver is wanted from an Airflow that cannot have it."""
        # Airflow 2 has no fastapi_apps; its module of assets came with Airflow 3.
        if _read_conn_id() and find_spec("airflow.assets") is None:
            log.warning("[%s] webhook_conn_id is set, but the receiver of webhooks needs Airflow 3.", SECTION)

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the receiver where ``webhook_conn_id`` is configured, else nothing."""
        conn_id = _read_conn_id()
        if not conn_id:
            return []
        from airflow_provider_iginsights._compat import conf
        from airflow_provider_iginsights.plugins.webhook_app import make_webhook_app

        per_minute = conf.getint(SECTION, "webhook_requests_per_minute", fallback=600)
        return [{"app": make_webhook_app(conn_id, per_minute=per_minute), "url_prefix": PREFIX, "name": self.name}]


def _read_conn_id() -> str:
    from airflow_provider_iginsights._compat import conf

    return conf.get(SECTION, "webhook_conn_id", fallback="") or ""
