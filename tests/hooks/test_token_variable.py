"""A token in an Airflow Variable: what is read, what is refused, what is hidden, and what is read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_iginsights.errors import ConfigurationError, InsightsError
from airflow_provider_iginsights.hooks import token_variable
from airflow_provider_iginsights.hooks.access_token import RefreshedToken, StoredToken
from airflow_provider_iginsights.hooks.token_end import TokenEnd
from airflow_provider_iginsights.hooks.token_variable import read_stored_token, store_token
from tests.support.airflow_versions import redact
from tests.support.secrecy import gather

NAME = "brand_access_token"
TOKEN, PASSWORD = "EAAGstored|c0ffee/123", "EAAGpassword1234567"
NEW = RefreshedToken(
    value=TOKEN,
    instagram_conn_id="instagram_default",
    end=TokenEnd(expires_at=1_800_000_000),
    refreshed_at=1_790_000_000,
)


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts a text into the Variable, as the environment does."""
    return lambda text: monkeypatch.setenv(f"AIRFLOW_VAR_{NAME.upper()}", text)


READ: dict[str, tuple[Any, StoredToken | None]] = {
    "a token": (TOKEN, StoredToken(value=TOKEN)),
    "a token with blanks around": (f" {TOKEN}\n", StoredToken(value=TOKEN)),
    "nothing": ("", None),
    "the operator's JSON": (
        {"access_token": TOKEN, "expires_at": 1_800_000_000, "refreshed_at": 1_790_000_000},
        StoredToken(value=TOKEN, expires_at=1_800_000_000, refreshed_at=1_790_000_000),
    ),
    "JSON of a person": ({"access_token": TOKEN, "expires_at": "soon"}, StoredToken(value=TOKEN)),
    "a token that never ends": ({"access_token": TOKEN, "expires_at": 0}, StoredToken(value=TOKEN, expires_at=0)),
}


@pytest.mark.parametrize(("held", "found"), READ.values(), ids=READ)
def test_what_is_read(hold: Any, held: Any, found: StoredToken | None) -> None:
    """The operator's JSON, and a token that a person has pasted; nothing is nothing."""
    hold(held if isinstance(held, str) else json.dumps(held))
    assert read_stored_token(NAME) == found


@pytest.mark.parametrize(
    "held", ["{", '{"token": "EAAGsecret123456"}', '{"access_token": 1.5}', '{"access_token": ""}']
)
def test_json_without_a_token_is_refused(hold: Any, held: str) -> None:
    """It is named by the Variable and never quoted: it may hold a token under another name."""
    hold(held)
    with pytest.raises(ConfigurationError, match=f"Variable '{NAME}' holds neither a token nor JSON") as refused:
        read_stored_token(NAME)
    assert "EAAGsecret123456" not in gather(refused.value)


def test_what_is_read_is_hidden_in_logs(hold: Any) -> None:
    """The token alone, without its JSON, is masked by Airflow, also as part of an address."""
    hold(json.dumps({"access_token": TOKEN}))
    assert read_stored_token(NAME)
    assert redact(f"token {TOKEN} and EAAGstored%7Cc0ffee%2F123") == "token *** and ***"


@pytest.mark.usefixtures("airflow_db")
def test_the_variable_comes_before_the_password(hold: Any, connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Where the Variable exists its token is used; where it does not, the password, and the log says so."""
    extra = {"token_variable": NAME}
    with caplog.at_level("INFO"):
        assert connect(password=PASSWORD, extra=extra).get_conn().settings.token == PASSWORD
    assert "Airflow has no Variable 'brand_access_token' yet, so the token is its password." in caplog.text
    hold(json.dumps({"access_token": TOKEN}))
    found = connect(password=PASSWORD, extra=extra).connection
    assert (found.settings.token, found.token_variable) == (TOKEN, NAME)
    assert connect(extra=extra).connection.settings.token == TOKEN
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("name", ["brand_token", "access", "ACCESS-KEY", "access_token|x", "my access_token", TOKEN])
def test_a_name_that_airflow_would_not_hide_is_refused(connect: Any, name: str) -> None:
    """The Variable's name must contain access_token; what stands there is not quoted, since it could be a token."""
    with pytest.raises(ConfigurationError, match=r"token_variable is not what .* must contain access_token") as refused:
        _ = connect(password=PASSWORD, extra={"token_variable": name}).connection
    assert TOKEN not in gather(refused.value)


@pytest.mark.usefixtures("airflow_db")
def test_what_is_stored_is_read(hold: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with its end is written and read back; a value of the environment that comes first is an error."""
    store_token(NAME, NEW)
    assert read_stored_token(NAME) == StoredToken(value=TOKEN, expires_at=1_800_000_000, refreshed_at=1_790_000_000)
    hold("EAAGanother1234567")
    with pytest.raises(
        ConfigurationError, match="AIRFLOW_VAR_BRAND_ACCESS_TOKEN, has a Variable of this name"
    ) as shadowed:
        store_token(NAME, NEW)
    assert TOKEN not in gather(shadowed.value)
    monkeypatch.delenv(f"AIRFLOW_VAR_{NAME.upper()}")
    from airflow.models.variable import Variable

    Variable.delete(NAME)


def test_a_write_that_fails_tells_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Airflow raises may quote what it was to write; the error does not, nor anything chained to it."""

    def refuse(name: str, text: str, *, description: str) -> None:
        raise RuntimeError(f"422: {name} {text} {description}")

    monkeypatch.setattr(token_variable, "write_variable", refuse)
    with pytest.raises(InsightsError, match="could not be written to the Airflow Variable") as failed:
        store_token(NAME, NEW)
    assert "RuntimeError: 422" in str(failed.value)
    assert TOKEN not in gather(failed.value)
