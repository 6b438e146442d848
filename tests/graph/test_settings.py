"""Where the client goes and as whom: hosts are approved, secrets do not show."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph.hosts import resolve_base_url
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import appsecret_proof


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        (None, "https://graph.facebook.com"),
        ("  ", "https://graph.facebook.com"),
        ("graph.instagram.com", "https://graph.instagram.com"),
        ("https://graph.facebook.com/", "https://graph.facebook.com"),
        ("https://Graph.Facebook.com", "https://graph.facebook.com"),
        ("https://graph.facebook.com:443", "https://graph.facebook.com"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.0.0.1:8080/graph.instagram.com", "http://127.0.0.1:8080/graph.instagram.com"),
    ],
)
def test_a_host_becomes_a_base_url(host: str | None, base_url: str) -> None:
    """Meta's hosts over https and loopback over http are accepted and completed; what came out may go in again."""
    assert resolve_base_url(host) == base_url
    assert resolve_base_url(base_url) == base_url


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "http://graph.facebook.com",
        "https://evilfacebook.com",
        "https://facebook.com.evil.com",
        "https://graph.facebook.com@evil.com",
        "https://user:word@graph.facebook.com",
        "https://evil.com/graph.facebook.com",
        "https://evil.com#.facebook.com",
        "https://graph.facebook.com/v25.0",
        "https://graph-video.facebook.com",
        "https://graph.facebook.com?x=1",
        "https://graph.facebook.com:8443",
        "ftp://graph.facebook.com",
        "http://127.0.0.1",
        "https://127.0.0.1:8080",
        "http://10.0.0.1:8080",
        "http://127.0.0.1:8080/a?b",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://localhost.evil.com:80",
        "https://graph.faceboоk.com",  # the second o is Cyrillic
    ],
)
def test_any_other_host_is_refused(host: str) -> None:
    """No token leaves for a host that is neither Meta's nor loopback, however it is dressed up."""
    with pytest.raises(ConfigurationError, match="not a Graph API host"):
        GraphSettings(token="t0ken", base_url=host)


@pytest.mark.parametrize(
    ("host", "login", "batches"),
    [
        ("graph.facebook.com", "facebook", True),
        ("graph.instagram.com", "instagram", False),
        ("http://127.0.0.1:1/graph.instagram.com", "instagram", False),
        ("http://127.0.0.1:1", "facebook", True),
    ],
)
def test_the_host_says_which_login(host: str, login: str, batches: bool) -> None:
    """The host decides between Facebook Login and Instagram Login; only the first is known to batch."""
    settings = GraphSettings(token="t0ken", base_url=host)
    assert (settings.login, settings.supports_batches) == (login, batches)


@pytest.mark.parametrize("version", ["25.0", "v25", "latest", "", "v25.0/me", "v25.0 "])
def test_a_version_must_be_one(version: str) -> None:
    """What does not read like v25.0 is refused before it becomes part of a path."""
    with pytest.raises(ConfigurationError, match=r"of the form v25\.0"):
        GraphSettings(token="t0ken", api_version=version)


@pytest.mark.parametrize(
    "token", ["", "EAAGse cret", "EAAGsecret\r\nX: y", "EAAGsecret\n", "EAAGsecrét", "\tEAAGsecret"]
)
def test_a_token_that_cannot_be_is_refused_unseen(token: str) -> None:
    """A token that would break its header is refused, and the message does not repeat it."""
    with pytest.raises(ConfigurationError, match="password again") as caught:
        GraphSettings(token=token)
    assert "secr" not in str(caught.value)


def test_the_proof_is_what_meta_defines() -> None:
    """appsecret_proof is the hex HMAC-SHA256 of the token under the app secret; without a secret there is none."""
    assert GraphSettings(token="t0ken", app_secret="s3cret").make_appsecret_proof() == appsecret_proof(
        "t0ken", "s3cret"
    )
    assert GraphSettings(token="t0ken", app_secret="").make_appsecret_proof() is None


def test_repr_hides_secrets() -> None:
    """The settings can be printed: neither the token nor the app secret shows."""
    shown = repr(GraphSettings(token="t0ken", app_secret="s3cret"))
    assert "t0ken" not in shown
    assert "s3cret" not in shown
    assert "https://graph.facebook.com" in shown
