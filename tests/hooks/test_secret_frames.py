"""No variable of a frame through which an error came, and nothing that it is chained to, holds a secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_iginsights.errors import ConfigurationError, InsightsError
from airflow_provider_iginsights.hooks import token_variable
from airflow_provider_iginsights.hooks.access_token import RefreshedToken
from airflow_provider_iginsights.hooks.hash_salt import read_hasher
from airflow_provider_iginsights.hooks.secret_frames import without_frames
from airflow_provider_iginsights.hooks.token_end import TokenEnd
from airflow_provider_iginsights.hooks.token_variable import read_stored_token, store_token
from airflow_provider_iginsights.plugins.webhook_app import SecretsOfConnection
from tests.support.secret_watch import SecretWatch, watch_secrets

TOKEN, SECRET, VERIFY = f"EAAG{'x1Y' * 40}", "0123456789abcdef0123456789abcdef", "verify+this|word"
BOTH = {"app_secret": SECRET, "webhook_verify_token": VERIFY}
VARIABLE = "brand_access_token"
NEW = RefreshedToken(value=TOKEN, instagram_conn_id="x", end=TokenEnd(expires_at=1_800_000_000), refreshed_at=1)


@pytest.fixture
def watch() -> Iterator[SecretWatch]:
    """Look for the secrets of this module."""
    with watch_secrets({"token": TOKEN, "app secret": SECRET, "verify token": VERIFY}) as watch:
        yield watch


def catch(act: Callable[[], object]) -> InsightsError:
    """Return the error with which something ends."""
    try:
        act()
    except InsightsError as error:
        return error
    raise AssertionError("There was no error.")


@pytest.mark.parametrize(
    "parts",
    [
        {"host": "evil.example"},
        {"host": "graph.facebook.com", "port": 81},
        {"password": f"{TOKEN} {TOKEN}"},
        {"password": f'"{TOKEN}"'},
        {"conn_type": "http"},
        {"password": None},
        {"extra": {"app_secret": f"{SECRET} {SECRET}"}},
        {"extra": {**BOTH, "account_ids": "x"}},
        {"extra": {**BOTH, "token_variable": TOKEN}},
        {"extra": {**BOTH, "timeout": 0}},
        {"extra": {**BOTH, "api_version": SECRET}},
        {"extra": [SECRET]},
    ],
    ids=lambda parts: str(list(parts)),
)
def test_a_connection_that_is_refused(connect: Any, watch: SecretWatch, parts: dict[str, Any]) -> None:
    """Whatever is wrong with it, the error brings nothing else of it along."""
    hook = connect(**{"password": TOKEN, "extra": BOTH} | parts)
    watch.show_error(catch(lambda: hook.connection))
    assert watch.find() == []


@pytest.mark.parametrize("missing", BOTH)
def test_a_webhook_without_a_secret(connect: Any, watch: SecretWatch, missing: str) -> None:
    """The one that is there is not shown."""
    connect(password=TOKEN, extra=BOTH | {missing: ""})
    watch.show_error(catch(SecretsOfConnection("instagram_default")))
    assert watch.find() == []


@pytest.mark.parametrize("held", [f'{{"token": "{TOKEN}"}}', f"{{{TOKEN}"])
def test_a_variable_without_a_token(monkeypatch: pytest.MonkeyPatch, watch: SecretWatch, held: str) -> None:
    """It may hold one under another name."""
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", held)
    watch.show_error(catch(lambda: read_stored_token(VARIABLE)))
    assert watch.find() == []


def test_a_variable_that_is_not_written(monkeypatch: pytest.MonkeyPatch, watch: SecretWatch) -> None:
    """Neither what was to be written nor what is read in its place is shown."""
    monkeypatch.setattr(token_variable, "write_variable", lambda *_, **__: 1 / 0)
    watch.show_error(catch(lambda: store_token(VARIABLE, NEW)))
    monkeypatch.setattr(token_variable, "write_variable", lambda *_, **__: None)
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", json.dumps({"access_token": f"{TOKEN}2"}))
    watch.show_error(catch(lambda: store_token(VARIABLE, NEW)))
    assert watch.find() == []


def test_a_salt_that_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a salt all the same."""
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": "grains of salt"}))
    with watch_secrets({"salt": "grains of salt"}) as watch:
        watch.show_error(catch(lambda: read_hasher(conn_id="salt", variable=None)))
    assert watch.find() == []


def test_an_error_keeps_its_type_and_its_words() -> None:
    """It loses its frames and its cause, and nothing else; what is no error of the package keeps all."""

    @without_frames
    def fail(error: Exception) -> None:
        raise error from KeyError(TOKEN)

    failed = catch(lambda: fail(ConfigurationError("Correct it.")))
    assert (type(failed), failed.message) == (ConfigurationError, "Correct it.")
    assert (failed.__cause__, failed.__context__) == (None, None)
    with pytest.raises(ZeroDivisionError) as kept:
        fail(ZeroDivisionError())
    assert isinstance(kept.value.__cause__, KeyError)
