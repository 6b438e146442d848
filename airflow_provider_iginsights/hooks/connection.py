"""Reads an Airflow Connection of type ``instagram`` into settings for the Graph API, strictly.

Airflow checks neither the form nor the extras of a connection, so this module does: extras by allow-list, each with
its limits, and the host before the token may go there. A message names the connection and the field, never a value:
people paste tokens into the wrong field.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION
from airflow_provider_iginsights.hooks.account_ids import parse_account_ids
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS, CONN_TYPE, HOOK_NAME
from airflow_provider_iginsights.hooks.secret_frames import without_frames
from airflow_provider_iginsights.json_values import read_whole_number
from airflow_provider_iginsights.quoting import quote_name, quote_value
from airflow_provider_iginsights.webhooks.verification import WebhookSecrets

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.settings import GraphSettings
    from airflow_provider_iginsights.hooks.access_token import StoredToken

log: logging.Logger = logging.getLogger(__name__)

_FORMS: Mapping[str, str] = {
    "api_version": "a version of the Graph API",
    "app_id": "a number of up to 25 digits",
    "app_secret": "letters and digits without a blank, 32 as a rule, as the App Dashboard shows them under "
    "Settings > Basic",
    "token_variable": "the name of a Variable",
    "webhook_verify_token": "ASCII characters without a blank",
}
"""What the extras that are texts should be."""
_PREFIX = f"extra__{CONN_TYPE}__"
DEFAULT_TIMEOUT = 60
DEFAULT_MAX_WORKERS = 16


class Connection(Protocol):
    """What is read of an Airflow Connection, of any version."""

    conn_type: str | None
    host: str | None
    port: int | None
    schema: str | None
    password: str | None
    extra: str | None

    @property
    def extra_dejson(self) -> Any:
        """The extra, parsed; Airflow masks its secrets in logs while it does so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstagramConnection:
    """What a Connection says: how to reach the Graph API, and the defaults for the operators.

    :param account_ids: IG user ids and ``@usernames`` in the order of the connection, each once; empty = every account
        that the token sees.
    :param max_workers: the largest number of accounts that a task reads at the same time.
    :param token_variable: the Airflow Variable that may hold the token; None = there is no such.
    :param stored: what the Variable holds, which is used; None = nothing, so that the password is the token.
    """

    conn_id: str
    settings: GraphSettings
    app_id: str | None = None
    account_ids: tuple[str, ...] = ()
    max_workers: int = DEFAULT_MAX_WORKERS
    token_variable: str | None = None
    stored: StoredToken | None = None


@without_frames
def read_connection(connection: Connection, *, conn_id: str, api_version: str | None = None) -> InstagramConnection:
    """Return the checked content of a Connection.

    :param connection: the Connection as Airflow returns it; it is neither logged nor kept.
    :param conn_id: its id, for messages.
    :param api_version: overrides the connection's, such as ``v25.0``.
    :raises ConfigurationError: the token is missing, the host is none of Meta's, or an extra is out of bounds.
    """
    where = f"Connection {conn_id!r}"
    _check_type(connection, where=where)
    extra = _read_extra(connection, where=where)
    pinned = _text({"api_version": api_version}, "api_version", where="InstagramHook")
    token_variable = _text(extra, "token_variable", where=where)
    stored = _read_stored(token_variable, where=where)
    token = stored.value if stored else (connection.password or "").strip()
    return InstagramConnection(
        conn_id=conn_id,
        settings=_read_settings(connection, extra, token=token, api_version=pinned, where=where),
        token_variable=token_variable,
        stored=stored,
        app_id=_text(extra, "app_id", where=where),
        account_ids=parse_account_ids(extra.get("account_ids"), source=f"{where}: account_ids"),
        max_workers=_whole_number(extra, "max_workers", where=where) or DEFAULT_MAX_WORKERS,
    )


@without_frames
def read_webhook_secrets(connection: Connection, *, conn_id: str) -> WebhookSecrets:
    """Return what a Connection says about webhooks; it needs no access token for that.

    :raises ConfigurationError: the app secret or the verify token is missing, or is no such thing.
    """
    where = f"Connection {conn_id!r}"
    _check_type(connection, where=where)
    extra = _read_extra(connection, where=where)
    found = {name: _text(extra, name, where=where) for name in ("app_secret", "webhook_verify_token")}
    if missing := [name for name, value in found.items() if value is None]:
        raise ConfigurationError(
            f"{where} has no {' and no '.join(missing)} in its extras. Both are needed to receive webhooks: the app "
            "secret stands in the App Dashboard under Settings > Basic, the verify token is your own choice."
        )
    return WebhookSecrets(app_secret=found["app_secret"] or "", verify_token=found["webhook_verify_token"] or "")


def _check_type(connection: Connection, *, where: str) -> None:
    # A connection in the environment may leave its type out.
    if connection.conn_type not in (CONN_TYPE, "", None):
        raise ConfigurationError(
            f"{where} is of the type {quote_value(connection.conn_type)}, not {CONN_TYPE!r} ({HOOK_NAME}): nothing of "
            "it is sent to Meta. Name another connection, or correct the type of this one."
        )


def _read_extra(connection: Connection, *, where: str) -> Mapping[str, Any]:
    extra = connection.extra_dejson or {}
    # Airflow returns an empty mapping for an extra that it cannot parse, and only logs that.
    if not isinstance(extra, dict) or (not extra and (connection.extra or "").strip() not in ("", "{}", "null")):
        raise ConfigurationError(f'{where}: its extra is not a JSON object. Correct it, such as {{"timeout": 30}}.')
    extra = _strip_prefix(extra)
    if unknown := sorted(set(extra) - set(CONN_FIELDS)):
        log.warning(
            "%s: its extra has keys that are not used: %s. Known are: %s.",
            where,
            ", ".join(map(quote_name, unknown)),
            ", ".join(CONN_FIELDS),
        )
    return extra


def _strip_prefix(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extras by their names alone, which win; older Airflows, and URIs for them, put a prefix before."""
    prefixed = {name.removeprefix(_PREFIX): value for name, value in extra.items() if name.startswith(_PREFIX)}
    return prefixed | {name: value for name, value in extra.items() if not name.startswith(_PREFIX)}


def list_extras(connection: Connection) -> tuple[str, ...]:
    """Return the names of the extras that hold something, in their order, as a message may show them."""
    extra = connection.extra_dejson
    if not isinstance(extra, dict):
        return ()
    return tuple(quote_name(name) for name, value in _strip_prefix(extra).items() if value not in (None, ""))


def _read_stored(token_variable: str | None, *, where: str) -> StoredToken | None:
    if token_variable is None:
        return None
    from airflow_provider_iginsights.hooks.token_variable import read_stored_token

    stored = read_stored_token(token_variable)
    if stored is None:
        log.info("%s: Airflow has no Variable %r yet, so the token is its password.", where, token_variable)
    return stored


def _read_settings(
    connection: Connection, extra: Mapping[str, Any], *, token: str, api_version: str | None, where: str
) -> GraphSettings:
    from airflow_provider_iginsights.graph.hosts import resolve_base_url
    from airflow_provider_iginsights.graph.settings import GraphSettings

    if not token:
        raise ConfigurationError(
            f"{where} has no access token. Put it into the field Access token (password) of the connection; "
            "a token of a system user is the one that does not expire."
        )
    options: dict[str, Any] = {
        "api_version": api_version or _text(extra, "api_version", where=where) or DEFAULT_API_VERSION,
        "app_secret": _text(extra, "app_secret", where=where),
        "read_timeout": _whole_number(extra, "timeout", where=where) or DEFAULT_TIMEOUT,
    }
    try:
        base_url = resolve_base_url(connection.host, port=connection.port, schema=connection.schema)
        return GraphSettings(token=token, base_url=base_url, **options)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error.message}") from error


def _text(extra: Mapping[str, Any], name: str, *, where: str) -> str | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    schema = CONN_FIELDS[name]["schema"]
    text = str(value).strip() if isinstance(value, str | int) else ""
    if not re.fullmatch(schema.get("pattern", r"[!-~]+"), text):
        raise ConfigurationError(
            f"{where}: {name} is not what it should be: {_FORMS[name]}. {CONN_FIELDS[name]['description']}"
        )
    return text


def _whole_number(extra: Mapping[str, Any], name: str, *, where: str) -> int | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    schema = CONN_FIELDS[name]["schema"]
    number = read_whole_number(value.strip() if isinstance(value, str) else value)
    if number is None or not schema["minimum"] <= number <= schema["maximum"]:
        raise ConfigurationError(
            f"{where}: {name} must be a whole number from {schema['minimum']} to {schema['maximum']}. "
            f"{CONN_FIELDS[name]['description']}"
        )
    return number


def missing_connection(conn_id: str) -> ConfigurationError:
    """Return the error for a connection id that Airflow does not know, or whose variable it cannot read."""
    if os.environ.get(variable := f"AIRFLOW_CONN_{conn_id.upper()}"):
        return ConfigurationError(
            f"Airflow finds no connection in the environment variable {variable}, though it is set: it must be a JSON "
            'object with double quotes, such as {"conn_type": "instagram", "password": "<access token>"}, or a URI.'
        )
    return ConfigurationError(
        f"Airflow knows no connection {conn_id!r}. Create it under Admin > Connections with the type {HOOK_NAME}, "
        f"by `airflow connections add {conn_id} --conn-type {CONN_TYPE} --conn-password <access token>`, "
        f"or in the environment variable {variable}."
    )
