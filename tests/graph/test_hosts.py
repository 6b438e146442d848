"""Hosts: however a host is spelt, nothing but Meta's two and loopback is ever asked for, and both URL readers agree."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from airflow_provider_iginsights.errors import ConfigurationError, ServerTrouble
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.hosts import find_login, is_loopback, resolve_base_url
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.settings import GraphSettings

ALLOWED = {"graph.facebook.com", "graph.instagram.com", "localhost", "127.0.0.1", "::1"}
META, EVIL = "graph.facebook.com", "evil.test"

# What separates a host from the rest for one reader and not for another (RFC 3986, WHATWG, and bugs between them).
MARKS = [
    *(
        "\\",
        "/",
        "?",
        "#",
        "@",
        ":",
        ";",
        ",",
        "&",
        "=",
        "!",
        "$",
        "'",
        "(",
        "*",
        "+",
        "|",
        "^",
        "`",
        "{",
        "~",
        "<",
        '"',
    ),
    *("%2f", "%23", "%3f", "%40", "%5c", "%00", "%0a", "%09", "%20", "%252f", "%E3%80%82", "&#46;", "\\@", "#@", "?@"),
    *("\t", "\n", "\r", "\r\n", "\0", "\x0b", "\x1f", "\x7f", " ", "\u00a0", "\u2028", "\u200b", "\u00ad", "\u202e"),
    *("\uff0f", "\uff20", "\uff03", "\uff1f", "\uff1a", "\uff3c", "\u2044", "\u2215", "\u2100", "\u2048", "\ufe55"),
    *("//", "///", "/\\", "\\/", "@@", "::", "%", "..", "/..", "/.", "/%2e%2e", ":@", ":80@", ":443@", "[", "]"),
]
SPELLINGS = [
    *(f"{prefix}{EVIL}{mark}{META}" for mark in MARKS for prefix in ("", "https://", "http://")),
    *(f"{prefix}{META}{mark}{EVIL}" for mark in MARKS for prefix in ("", "https://", "http://")),
    *(f"https://{EVIL}{mark}.facebook.com" for mark in MARKS),
    *(f"http://127.0.0.1{mark}{EVIL}:80" for mark in MARKS),
    *(f"http://{EVIL}{mark}127.0.0.1:80" for mark in MARKS),
    *(f"http://{EVIL}:80{mark}@127.0.0.1:80" for mark in MARKS),
    *(f"http://127.0.0.1:80{mark}{EVIL}/" for mark in MARKS),
    *(f"https://{META[:6]}{mark}{META[6:]}" for mark in MARKS if mark != "/"),
    # Other spellings of addresses: decimal, octal, hexadecimal, short, mapped, with zones, of the cloud's metadata.
    *("http://2130706433:80", "http://017700000001:80", "http://0x7f.1:80", "http://127.1:80", "http://0:80"),
    *("http://127.0.0.2:80", "http://0.0.0.0:80", "http://[::]:80", "http://[::ffff:127.0.0.1]:80", "http://[0::1]:80"),
    *("http://[::1%25lo]:80", "http://[::1%lo]:80", "http://[::1]evil.test:80", "http://[::1].evil.test:80", "[::1"),
    *("http://[::1]@evil.test:80", "http://169.254.169.254", "http://metadata.google.internal", "http://[fd00::1]:80"),
    *("http://①②⑦.⓪.⓪.①:80", "http://127。0。0。1:80", "http://１２７.0.0.1:80", "http://127.0.0.1.:80"),
    *("http://localhost.:80", "http://localhost.evil.test:80", "http://lоcalhost:80", "http://127.0.0.1.nip.io:80"),
    # Look-alikes and other hosts.
    *(
        "https://graph.faceboоk.com",
        "https://ⓖⓡⓐⓟⓗ.facebook.com",
        "https://graph.ﬁcebook.com",
        "https://graph。facebook。com",
    ),
    *(
        "https://xn--graph-1ta.facebook.com",
        "https://graph.facebook.com.",
        "https://.graph.facebook.com",
        "https://graph..facebook.com",
    ),
    *(
        "https://GRAPH.FACEBOOK.COM.evil.test",
        "https://facebook.com",
        "https://evil-facebook.com",
        "https://graph.faceboo\u212a.com",
    ),
    *(
        "https://graph.in\u017ftagram.com",
        "https://graph-video.facebook.com",
        "https://rupload.facebook.com",
        "api.instagram.com",
    ),
    *(
        "https://graph.threads.net",
        "https://www.instagram.com",
        "https://b-graph.facebook.com",
        "https://l.facebook.com",
    ),
    # Schemes, ports, paths.
    *(
        "http://graph.facebook.com",
        "http://graph.facebook.com:443",
        "https://graph.facebook.com:80",
        "graph.facebook.com:8443",
    ),
    *(
        "https://graph.facebook.com:0443",
        "https://graph.facebook.com:",
        "https://graph.facebook.com:443:80",
        "graph.facebook.com:٤٤٣",
    ),
    *(
        "https://graph.facebook.com:-1",
        "https://graph.facebook.com:443@evil.test",
        "https:graph.facebook.com",
        "https:/evil.test",
    ),
    *(
        "//evil.test",
        "///evil.test",
        "\\\\evil.test",
        "https:\\\\evil.test",
        "https://https://evil.test",
        "https://http:80",
    ),
    *(
        "file:///etc/passwd",
        "ftp://graph.facebook.com",
        "gopher://127.0.0.1:80",
        "javascript://graph.facebook.com",
        "http+unix://x",
    ),
    *(
        "http://127.0.0.1",
        "https://127.0.0.1:80",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:99999",
    ),
    *(
        "http://127.0.0.1:80/../x",
        "http://127.0.0.1:80/./x",
        "http://127.0.0.1:80//evil.test",
        "http://127.0.0.1:80/a?b",
        "/",
    ),
    *(
        "https://graph.facebook.com/v25.0",
        "graph.facebook.com/v25.0/",
        "http://127.0.0.1:80/v25.0",
        "https://graph.facebook.com/me",
    ),
    *(
        "https://user@graph.facebook.com",
        "https://user:word@graph.facebook.com",
        "https://@graph.facebook.com",
        "@",
        ":",
        "?",
        "#",
    ),
    "https://" + "a" * 5000 + ".facebook.com",
    "\ud800graph.facebook.com",
]


def _resolve(spelling: str) -> str | None:
    try:
        return resolve_base_url(spelling)
    except ConfigurationError:
        return None


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record every name that anybody wants resolved, and resolve none."""
    names: list[str] = []

    def record(host: Any, *_: Any, **__: Any) -> None:
        names.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", record)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return names


def _check(spelling: str) -> None:
    """Expect that a spelling is refused, or that the URL made of it has one of the five names for every reader."""
    base_url = _resolve(spelling)
    if base_url is None:
        return
    prepared = requests.Request("GET", f"{base_url}/v25.0/me").prepare().url
    assert prepared == f"{base_url}/v25.0/me"
    names = {urlsplit(prepared).hostname, (parse_url(prepared).host or "").strip("[]")}
    assert len(names) == 1
    assert names <= ALLOWED
    assert resolve_base_url(base_url) == base_url


@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
def test_both_readers_see_an_allowed_name(spelling: str) -> None:
    """Of every spelling, urlsplit and urllib3 read the same allowed name from the URL that requests prepares."""
    _check(spelling)


@given(
    parts=st.lists(
        st.sampled_from(
            [*MARKS, META, EVIL, "https://", "http://", "127.0.0.1", "[::1]", ":443", ":80", "v25.0", ".com"]
        )
        | st.text(max_size=3),
        max_size=6,
    )
)
@example(parts=["https://", EVIL, "\\", META])
def test_no_mixture_reads_otherwise(parts: list[str]) -> None:
    """Nor does any mixture of them, or of any characters."""
    _check("".join(parts))


def test_nothing_else_is_ever_resolved(resolved: list[str]) -> None:
    """Whoever connects with these spellings asks the resolver for one of the five names, or for none at all."""
    accepted = 0
    for spelling in (
        *SPELLINGS,
        "graph.facebook.com",
        "GRAPH.instagram.com",
        "localhost:80",
        "127.0.0.1:80",
        "[::1]:80",
    ):
        try:
            settings = GraphSettings(token="t0ken", base_url=spelling, max_tries=1)
        except ConfigurationError:
            continue
        accepted += 1
        with GraphClient(settings) as client, pytest.raises(ServerTrouble):
            client.get(GraphRequest("me", {}))
    assert accepted >= 5
    assert set(resolved) == ALLOWED


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("graph.facebook.com/v25.0", "api_version, such as v25"),
        ("https://graph.instagram.com/v25.0/", "api_version, such as v25"),
        ("http://127.0.0.1:8080/v25.0", "api_version, such as v25"),
        ("http://127.0.0.1:8080/graph.instagram.com/v25.0", "api_version, such as v25"),
        ("graph.facebook.com/me/accounts", "Enter only the host"),
        ("graph-video.facebook.com", "another one of Meta's"),
        ("https://www.facebook.com", "another one of Meta's"),
        ("api.instagram.com", "another one of Meta's"),
        ("graph.threads.net", "another one of Meta's"),
        ("http://graph.facebook.com", "over https and port 443"),
        ("graph.facebook.com:8080", "over https and port 443"),
        ("127.0.0.1", "needs http and a port"),
        ("https://localhost:8080", "needs http and a port"),
        ("example.com", "is not a Graph API host."),
    ],
)
def test_a_refusal_says_what_to_enter(host: str, says: str) -> None:
    """What is nearly right gets its own sentence, and every refusal names the three hosts that may be entered."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        resolve_base_url(host)
    for name in ("graph.facebook.com", "graph.instagram.com", "127.0.0.1:PORT"):
        assert name in caught.value.message
    assert "example" not in caught.value.message


@pytest.mark.parametrize(
    ("host", "port", "schema", "base_url"),
    [
        (None, None, None, "https://graph.facebook.com"),
        ("", 443, "https", "https://graph.facebook.com"),
        ("graph.instagram.com", 443, "https", "https://graph.instagram.com"),
        ("graph.instagram.com/", 443, "", "https://graph.instagram.com"),
        ("https://graph.facebook.com", None, "https", "https://graph.facebook.com"),
        ("127.0.0.1", 8080, "http", "http://127.0.0.1:8080"),
        ("http://[::1]", 8080, None, "http://[::1]:8080"),
        ("localhost", 8080, "graph.instagram.com", "http://localhost:8080/graph.instagram.com"),
    ],
)
def test_the_fields_of_a_connection_are_one_address(
    host: str | None, port: int | None, schema: str | None, base_url: str
) -> None:
    """Host, port and schema, which Airflow fills from a URI, are read together."""
    assert resolve_base_url(host, port=port, schema=schema) == base_url


@pytest.mark.parametrize(
    ("host", "port", "schema"),
    [
        ("", 8080, ""),
        ("", None, "http"),
        ("graph.facebook.com:443", 443, ""),
        ("graph.facebook.com", 8443, ""),
        ("graph.facebook.com", None, "http"),
        ("graph.facebook.com", None, "v25.0"),
        ("graph.facebook.com", None, "@evil.test"),
        ("graph.facebook.com", -1, ""),
        ("http://127.0.0.1:80", 81, ""),
        ("http://127.0.0.1/x", 81, ""),
        ("http://127.0.0.1", 80, "https"),
        ("127.0.0.1", None, "http"),
        ("evil.test", 443, "https"),
        ("[::1", 80, "http"),
    ],
)
def test_fields_that_contradict_are_refused(host: str, port: int | None, schema: str) -> None:
    """Fields that contradict each other, or add up to no allowed address, are refused."""
    with pytest.raises(ConfigurationError, match="not a Graph API host"):
        resolve_base_url(host, port=port, schema=schema)


def test_only_loopback_is_plain() -> None:
    """Loopback and login follow from the URL; what is not loopback is https."""
    assert [is_loopback(resolve_base_url(host)) for host in ("", "graph.instagram.com", "[::1]:80")] == [
        False,
        False,
        True,
    ]
    hosts = ("", "graph.instagram.com", "localhost:80", "localhost:80/graph.instagram.com", "localhost:80/x")
    assert [find_login(resolve_base_url(host)) for host in hosts] == [
        *("facebook", "instagram", "facebook", "instagram", "facebook"),
    ]
