"""What an Airflow Connection may say, and what is refused before a token leaves."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_iginsights._compat import BaseHook
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.hooks.account_ids import parse_account_ids
from airflow_provider_iginsights.hooks.connection import (
    list_extras,
    missing_connection,
    read_connection,
    read_webhook_secrets,
)
from tests.support.airflow_versions import needs

TOKEN = "EAAGtoken1234567890"
SECRET = "0123456789abcdef0123456789abcdef"
FIRST, SECOND = "17841405822304914", "17841401441775531"


@pytest.fixture
def read(connect):
    """Return a function that reads the connection with these parts."""

    def read_parts(**parts):
        connect(**{"password": TOKEN, **parts})
        return read_connection(BaseHook.get_connection("instagram_default"), conn_id="instagram_default")

    return read_parts


def test_token_alone_is_enough(read):
    """A connection with nothing but a token goes to graph.facebook.com with the defaults."""
    found = read()
    assert found.settings.token == TOKEN
    assert found.settings.base_url == "https://graph.facebook.com"
    assert (found.settings.api_version, found.settings.read_timeout, found.max_workers) == ("v25.0", 60, 16)
    assert (found.account_ids, found.app_id, found.settings.app_secret) == ((), None, None)


@pytest.mark.parametrize("conn_type", ["http", "facebook_social", "Instagram", f"EAAG{'x' * 60}"])
def test_refuses_another_type(read, connect, conn_type):
    """A connection of another type is refused by its name and type, for its token and for its webhook secrets."""
    with pytest.raises(ConfigurationError, match=r"^Connection 'instagram_default' is of the type .*, not 'instagram'"):
        read(conn_type=conn_type)
    with pytest.raises(ConfigurationError, match="nothing of it is sent to Meta") as refused:
        read_webhook_secrets(BaseHook.get_connection("instagram_default"), conn_id="instagram_default")
    assert (conn_type in str(refused.value)) is (len(conn_type) < 30)


@pytest.mark.parametrize("conn_type", [None, ""])
def test_type_may_be_left_out(read, conn_type):
    """A connection in the environment needs no type."""
    assert read(conn_type=conn_type).settings.token == TOKEN


def test_reads_every_extra(read):
    """Each extra field arrives where it is used; numbers may be text, as in a connection URI."""
    extra = {"api_version": "v24.0", "app_id": 312083254664235, "app_secret": SECRET, "account_ids": [FIRST, SECOND]}
    found = read(host="graph.instagram.com", extra={**extra, "timeout": "30", "max_workers": 8})
    assert found.settings.login == "instagram"
    assert (found.settings.api_version, found.settings.app_secret, found.settings.read_timeout) == ("v24.0", SECRET, 30)
    assert (found.app_id, found.account_ids, found.max_workers) == ("312083254664235", (FIRST, SECOND), 8)


@pytest.mark.parametrize("name", ["timeout", "max_workers"])
@pytest.mark.parametrize("value", [8, "8", " 8 ", 8.0, "8.0"], ids=repr)
def test_a_whole_number_in_any_form(read, name, value):
    """Whoever writes the extra as JSON or YAML may write a number with a point, or as text."""
    found = read(extra={name: value})
    assert (found.max_workers if name == "max_workers" else found.settings.read_timeout) == 8


def test_extras_with_the_prefix_of_older_airflows(read, caplog):
    """They mean what they mean without it, so that accounts that are named stay the only ones; the name alone wins."""
    prefixed = {"account_ids": [FIRST], "api_version": "v24.0", "app_secret": SECRET, "timeout": 7}
    extra = {f"extra__instagram__{name}": value for name, value in prefixed.items()}
    found = read(extra={**extra, "timeout": 9})
    assert (found.account_ids, found.settings.api_version) == ((FIRST,), "v24.0")
    assert (found.settings.app_secret, found.settings.read_timeout) == (SECRET, 9)
    # Airflow 2 tells of the connection, too.
    assert [each.message for each in caplog.records if each.name.startswith("airflow_provider_iginsights")] == []


def test_empty_extras_are_defaults(read):
    """What a form leaves empty counts as not given."""
    found = read(host=" ", extra={"api_version": "", "account_ids": "", "timeout": None, "max_workers": ""})
    assert found.settings.base_url == "https://graph.facebook.com"
    assert (found.settings.api_version, found.settings.read_timeout, found.max_workers) == ("v25.0", 60, 16)


@pytest.mark.parametrize(
    ("host", "port", "base_url"),
    [
        ("graph.facebook.com", None, "https://graph.facebook.com"),
        ("https://graph.instagram.com/", None, "https://graph.instagram.com"),
        ("http://127.0.0.1:8123/graph.instagram.com", None, "http://127.0.0.1:8123/graph.instagram.com"),
        ("127.0.0.1", 8123, "http://127.0.0.1:8123"),
    ],
)
def test_survives_the_way_through_a_uri(monkeypatch, host, port, base_url):
    """Airflow hands a connection that is tested on as a URI; nothing is lost on the way."""
    connection_class = type(_define(monkeypatch, '{"conn_type": "instagram"}'))
    extra = '{"timeout": 30, "account_ids": ["17841405822304914"]}'
    before = connection_class(
        conn_id="x", conn_type="instagram", host=host, port=port, password=f"{TOKEN}|/+", extra=extra
    )
    after = read_connection(_define(monkeypatch, before.get_uri()), conn_id="instagram_default")
    assert (after.settings.base_url, after.settings.token) == (base_url, f"{TOKEN}|/+")
    assert (after.settings.read_timeout, after.account_ids) == (30, ("17841405822304914",))


def _define(monkeypatch, text):
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", text)
    return BaseHook.get_connection("instagram_default")


@pytest.mark.parametrize(
    "host",
    [
        "http://graph.facebook.com",
        "https://graph.facebook.com.evil.org",
        "https://evilfacebook.com",
        "https://graph.facebook.com@evil.org",
        "https://someone:word@graph.facebook.com",
        "https://graph.facebook.com/v25.0",
        "https://graph.facebook.com:8443",
        "https://grаph.facebook.com",
        "https://graph.facebook.com\\@evil.org",
        "https://evil.org#graph.facebook.com",
        "https://evil.org?graph.facebook.com",
        "https://graph\u3002facebook.com",
        "http://192.168.0.10:8000",
        "http://169.254.169.254",
        "ftp://graph.facebook.com",
        "file:///etc/passwd",
    ],
)
def test_refuses_foreign_hosts(read, host):
    """Nothing but Meta's hosts over https, and loopback, gets the token; the message names the connection."""
    with pytest.raises(ConfigurationError, match=r"Connection 'instagram_default': .*host") as caught:
        read(host=host)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"api_version": "25"}, "api_version"),
        ({"api_version": "v25"}, "api_version"),
        ({"api_version": "v25.0/../me"}, "api_version"),
        ({"api_version": 25.0}, "api_version"),
        ({"app_id": "my app"}, "app_id"),
        ({"app_secret": "two words"}, "app_secret"),
        ({"app_secret": {"nested": "x"}}, "app_secret"),
        ({"account_ids": "brand"}, "account_ids"),
        ({"account_ids": [17841405822304914.0]}, "account_ids"),
        ({"account_ids": {"a": 1}}, "account_ids"),
        ({"account_ids": '["178'}, "account_ids"),
        ({"timeout": 0}, "timeout"),
        ({"max_workers": 0}, "max_workers"),
        ({"timeout": -5}, "timeout"),
        ({"timeout": 601}, "timeout"),
        ({"timeout": 2.5}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"max_workers": 33}, "max_workers"),
        ({"max_workers": True}, "max_workers"),
        ({"max_workers": "٣"}, "max_workers"),
    ],
)
def test_refuses_wrong_extras(read, extra, field):
    """Each extra has its limits; the message names connection and field, and shows no value, but for a wrong id."""
    with pytest.raises(ConfigurationError, match=f"Connection 'instagram_default': {field}") as caught:
        read(extra=extra)
    assert not [part for part in ("two words", "nested", "../me") if part in str(caught.value)]


@pytest.mark.parametrize(("name", "least", "most"), [("timeout", 1, 600), ("max_workers", 1, 32)])
def test_the_bounds_of_a_number_are_allowed(read, name, least, most):
    """The message names both ends, and both may be given."""
    for number in (least, most, str(most)):
        found = read(extra={name: number})
        assert int(number) == (found.max_workers if name == "max_workers" else found.settings.read_timeout)
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number from {least} to {most}"):
        read(extra={name: most + 1})


@pytest.mark.parametrize(
    "extra", [None, "", "{}", " {} ", pytest.param("null", marks=needs("connections whose extra is no JSON"))]
)
def test_an_extra_that_says_nothing(read, extra):
    """However it says so, it is no mistake."""
    assert read(extra=extra).max_workers == 16


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ({}, "app_secret and no webhook_verify_token"),
        ({"app_secret": SECRET}, "webhook_verify_token"),
        ({"webhook_verify_token": "ours"}, "app_secret"),
        ({"webhook_verify_token": "", "app_secret": None}, "app_secret and no webhook_verify_token"),
    ],
)
def test_webhooks_need_both_secrets(connect, extra, missing):
    """What is missing is named, and what is there makes no secret of it; a token is not needed."""
    connect(extra=extra)
    with pytest.raises(ConfigurationError, match=f"has no {missing} in its extras") as refused:
        read_webhook_secrets(BaseHook.get_connection("instagram_default"), conn_id="instagram_default")
    assert SECRET not in refused.value.message


def test_webhook_secrets_are_read(connect):
    """Each arrives where it is used; one that cannot be is refused in words."""
    connect(extra={"app_secret": SECRET, "webhook_verify_token": "two words"})
    with pytest.raises(ConfigurationError, match="webhook_verify_token is not what it should be: ASCII characters"):
        read_webhook_secrets(BaseHook.get_connection("instagram_default"), conn_id="instagram_default")
    connect(extra={"app_secret": SECRET, "webhook_verify_token": "ours"})
    found = read_webhook_secrets(BaseHook.get_connection("instagram_default"), conn_id="instagram_default")
    assert (found.app_secret, found.verify_token) == (SECRET, "ours")


def test_extras_that_hold_something_are_listed(connect):
    """In their order, without those that a form left empty."""
    connect(extra={"timeout": 0, "app_id": "", "account_ids": None, "app_secret": SECRET})
    assert list_extras(BaseHook.get_connection("instagram_default")) == ("timeout", "app_secret")
    connect(extra={"extra__instagram__app_secret": SECRET})
    assert list_extras(BaseHook.get_connection("instagram_default")) == ("app_secret",)


def test_a_token_variable_that_does_not_exist_yet(read, caplog):
    """The password is the token until the Variable holds one; the log says so, without a value."""
    with caplog.at_level(logging.INFO):
        found = read(extra={"token_variable": "instagram_access_token"})
    assert (found.token_variable, found.stored, found.settings.token) == ("instagram_access_token", None, TOKEN)
    assert "Airflow has no Variable 'instagram_access_token' yet" in caplog.text
    assert read().token_variable is None


@pytest.mark.parametrize(
    ("extra", "form"),
    [
        ({"api_version": "25"}, "a version of the Graph API. Version of the Graph API, such as v25.0."),
        ({"app_id": "my app"}, "a number of up to 25 digits."),
        ({"app_secret": "two words"}, "letters and digits without a blank, 32 as a rule, as the App Dashboard shows"),
        ({"token_variable": "a b"}, "the name of a Variable. Airflow Variable whose token"),
    ],
    ids=str,
)
def test_tells_what_an_extra_should_be(read, extra, form):
    """Who is told that a text is wrong is told, too, what would be right, and where it stands."""
    with pytest.raises(ConfigurationError) as caught:
        read(extra=extra)
    assert f"{next(iter(extra))} is not what it should be: {form}" in str(caught.value)


@pytest.mark.parametrize(
    "quotes", ['""', "''", "``", "\u201c\u201d", "\u201e\u201c", "\u2018\u2019", '"', "\u00ab\u00bb"]
)
def test_a_token_in_quotes_is_told_so(read, quotes):
    """Quotes around a token, or before it alone, are named; the token is not shown."""
    with pytest.raises(ConfigurationError, match=r"'instagram_default': The access token stands in quotes") as caught:
        read(password=f"{quotes[0]}EAAGtoken12345678{quotes[1:]}")
    assert "EAAG" not in str(caught.value)


@needs("connections whose extra is no JSON")
@pytest.mark.parametrize("extra", ["no json", "[1, 2]", '"text"'])
def test_refuses_an_extra_that_is_no_object(read, extra):
    """An extra that Airflow would read as empty, or that is a list, is an error and not silently ignored."""
    with pytest.raises(ConfigurationError, match="is not a JSON object"):
        read(extra=extra)


@pytest.mark.parametrize("password", [None, "", "  \n"])
def test_asks_for_the_token(read, password):
    """Without a token the message names the connection and the field to fill."""
    with pytest.raises(ConfigurationError, match=r"'instagram_default' has no access token.*\(password\)"):
        read(password=password)


@pytest.mark.parametrize("password", [f"Bearer {TOKEN}", f"{TOKEN}\nX-Evil: 1", f"{TOKEN}é"])
def test_refuses_a_token_that_cannot_be(read, password):
    """A token with blanks or line breaks would break the header, and the HTTP library would quote it in its error."""
    with pytest.raises(ConfigurationError, match="Connection 'instagram_default': The access token") as caught:
        read(password=password)
    assert TOKEN not in str(caught.value)


def test_strips_the_token(read):
    """Blanks around a pasted token are no part of it."""
    assert read(password=f" {TOKEN}\n").settings.token == TOKEN


def test_warns_of_unknown_extras_by_name_only(read, caplog):
    """An extra that nobody reads is named in a warning, without its value."""
    with caplog.at_level(logging.WARNING):
        read(extra={"access_token": "EAAGleaked", "timeout": 10})
    assert "are not used: access_token." in caplog.text
    assert "EAAGleaked" not in caplog.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("max_worker", "max_worker"),
        ("extra__http__timeout", "extra__http__timeout"),
        (f"EAAG{'x1Y' * 50}", "'(a long text that is not shown, as it could be a token)'"),
        (SECRET, "'(a long text that is not shown, as it could be a token)'"),
        ("a\nCRITICAL - all is lost", r"'a\nCRITICAL - all is lost'"),
        ("", "''"),
    ],
)
def test_shows_no_secret_that_is_the_name_of_an_extra(read, caplog, name, shown):
    """Who pastes a token where the name stands is warned, and the token is in no log; no name breaks a line."""
    with caplog.at_level(logging.WARNING):
        read(extra={name: "x"})
    said = [each.getMessage() for each in caplog.records if each.name.startswith("airflow_provider_iginsights")]
    assert [each.partition(" used: ")[2].partition(". Known")[0] for each in said] == [shown]
    assert list_extras(BaseHook.get_connection("instagram_default")) == (shown,)


@pytest.mark.parametrize("value", [SECRET, [SECRET], f"@{SECRET}", f"EAAG{'x1Y' * 50}"], ids=str)
def test_shows_no_secret_that_stands_among_the_accounts(read, value):
    """Neither an app's secret nor a token is quoted by the message that they are no ids."""
    with pytest.raises(ConfigurationError, match=r"account_ids holds .*not shown, as it could be a token") as caught:
        read(extra={"account_ids": value})
    assert SECRET not in str(caught.value)


def test_shows_no_secret(read):
    """Neither repr nor str of what was read contains token or app secret."""
    found = read(extra={"app_secret": SECRET})
    assert TOKEN not in f"{found!r} {found}"
    assert SECRET not in f"{found!r} {found}"


@pytest.mark.parametrize(
    "value",
    [
        f"{FIRST},{SECOND}",
        f" {FIRST} ; {SECOND},{FIRST}, ",
        f"{FIRST}\n{SECOND}",
        f'["{FIRST}", {SECOND}]',
        [FIRST, SECOND, FIRST],
        (int(FIRST), SECOND),
    ],
)
def test_reads_account_ids(value):
    """Lists, JSON lists and strings with commas give the same ids, in their order, each once."""
    assert parse_account_ids(value) == (FIRST, SECOND)


@pytest.mark.parametrize("value", [None, "", "  ", ",", [], "[]"])
def test_reads_no_account_ids(value):
    """Nothing given is no id."""
    assert parse_account_ids(value) == ()


@pytest.mark.parametrize("value", ["brand", "1784-1", [None], {"1": 1}, 1.0, [True], b"1", "1" * 26])
def test_refuses_account_ids(value):
    """Whatever is not made of digits is refused, by the name of where it stands."""
    with pytest.raises(ConfigurationError, match=r"^account_ids "):
        parse_account_ids(value)


def test_missing_connection_says_how_to_create_it():
    """The message for an unknown connection names the id, the type and the environment variable."""
    message = str(missing_connection("brand_x"))
    assert "'brand_x'" in message
    assert "--conn-type instagram" in message
    assert "AIRFLOW_CONN_BRAND_X" in message


@pytest.mark.parametrize("text", ["{'conn_type': 'instagram'}", '{"password": "EAAG"', "EAAGtoken1234567890"])
def test_a_variable_that_is_no_connection(monkeypatch, text):
    """A variable that is set, but cannot be read, is named as such, and not shown: it may hold the token."""
    monkeypatch.setenv("AIRFLOW_CONN_BRAND_X", text)
    message = str(missing_connection("brand_x"))
    assert "AIRFLOW_CONN_BRAND_X, though it is set: it must be a JSON object with double quotes" in message
    assert text not in message
