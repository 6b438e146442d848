"""Keeps an access token in an Airflow Variable, which the connection's ``token_variable`` names.

A task may write a Variable, but no connection (Airflow 3: connections are read-only for tasks). The Variable holds
``{"access_token": ..., "expires_at": ..., "refreshed_at": ...}`` with Unix seconds, or a token alone, as it is pasted.
Its name contains ``access_token``: by that word Airflow hides its value in the UI, the REST API and rendered fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from airflow_provider_iginsights._compat import mask_secret, read_variable, write_variable
from airflow_provider_iginsights.errors import ConfigurationError, InsightsError
from airflow_provider_iginsights.graph.redact import escape, redact
from airflow_provider_iginsights.hooks.access_token import RefreshedToken, StoredToken
from airflow_provider_iginsights.hooks.secret_frames import without_frames
from airflow_provider_iginsights.json_values import read_count, read_object, read_text


def mask_token(value: str) -> None:
    """Hide a token in Airflow's logs, also as a part of an address."""
    # Variable.set masks nothing, and the masker does not know other spellings of what it hides.
    for written in {value, quote(value, safe="")}:
        mask_secret(written)


@without_frames
def read_stored_token(name: str) -> StoredToken | None:
    """Return the token in the Variable; None where there is no such Variable, or nothing in it.

    :raises ConfigurationError: it holds JSON without an ``access_token``.
    """
    text = (read_variable(name) or "").strip()
    if not text:
        return None
    mask_token(text)
    if not text.startswith("{"):
        return StoredToken(value=text)
    found = _read_json(text)
    value = read_text(found.get("access_token"))
    if not value:
        raise ConfigurationError(
            f"The Airflow Variable {name!r} holds neither a token nor JSON with an access_token. Paste a token into "
            "it, or delete it: then the connection's password is used."
        )
    mask_token(value)
    return StoredToken(
        value=value,
        expires_at=read_count(found.get("expires_at")),
        refreshed_at=read_count(found.get("refreshed_at")),
    )


@without_frames
def store_token(name: str, token: RefreshedToken) -> None:
    """Write a token into the Variable, and read it back. Where that fails, the new token is lost; the old one works.

    :raises ConfigurationError: something else is read back.
    :raises InsightsError: the Variable could not be written.
    """
    document = {
        "access_token": token.value,
        "expires_at": token.end.expires_at,
        "refreshed_at": token.refreshed_at,
    }
    if failure := find_failure(token.value, partial(_write, name, document, conn_id=token.instagram_conn_id)):
        raise InsightsError(
            f"The new token could not be written to the Airflow Variable {name!r} ({failure}). The old one goes on "
            "working until its end: run the task again."
        )
    stored = read_stored_token(name)
    if stored is None or stored.value != token.value:
        # Airflow only warns where a secrets backend or the environment hides what is written.
        raise ConfigurationError(
            f"The new token was written to the Airflow Variable {name!r}, but another value is read back. A secrets "
            f"backend, or the environment variable AIRFLOW_VAR_{name.upper()}, has a Variable of this name and comes "
            "first, or Airflow refused to write. Delete it there or name another token_variable; a token_sink can "
            "write to the secrets backend itself."
        )


def find_failure(value: str, act: Callable[[], object]) -> str:
    """Do something with a token; return the exception that it ended with, without the token, or ``""``.

    Who raises an error of it afterwards has left that exception, so none is chained to another that holds the token.
    """
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {escape(redact(str(error), value))}"
    return ""


def _write(name: str, document: Mapping[str, Any], *, conn_id: str) -> None:
    write_variable(name, json.dumps(document), description=f"Access token of connection {conn_id}.")


def _read_json(text: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        return dict(read_object(json.loads(text)) or {})
    return {}
