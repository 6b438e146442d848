"""The receiver as Airflow's API server runs it: secrets from a Connection, notifications kept as asset events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_iginsights._compat import AirflowNotFoundException, BaseHook
from airflow_provider_iginsights.hooks.connection import missing_connection, read_webhook_secrets
from airflow_provider_iginsights.plugins.asset_events import keep_notifications
from airflow_provider_iginsights.webhooks.receiver import Receiver
from airflow_provider_iginsights.webhooks.verification import WebhookSecrets

if TYPE_CHECKING:
    from starlette.applications import Starlette

# A connection costs a query to Airflow's database, or a call to a secrets backend.
REMEMBERED_SECONDS = 60.0


def make_webhook_app(conn_id: str, *, per_minute: int) -> Starlette:
    """Return the ASGI application. The Connection is read at the first call, so it may be made later."""
    return Receiver(secrets=SecretsOfConnection(conn_id), keep=keep_notifications, per_minute=per_minute).make_app()


class SecretsOfConnection:
    """Reads a Connection's secrets, and again after a minute, so that a changed one is noticed without a restart."""

    def __init__(self, conn_id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._conn_id = conn_id
        self._clock = clock
        self._remembered: tuple[float, WebhookSecrets] | None = None

    def __call__(self) -> WebhookSecrets:
        """Return the secrets.

        :raises ConfigurationError: there is no such Connection, or it lacks one of the two.
        """
        now = self._clock()
        if self._remembered is None or now - self._remembered[0] > REMEMBERED_SECONDS:
            self._remembered = now, self._read()
        return self._remembered[1]

    def _read(self) -> WebhookSecrets:
        try:
            # In no variable: an error would show it.
            return read_webhook_secrets(BaseHook.get_connection(self._conn_id), conn_id=self._conn_id)
        except AirflowNotFoundException as error:
            raise missing_connection(self._conn_id) from error
