"""The way to Meta itself: https through a proxy, certificates checked, secrets sent only through the open tunnel."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_iginsights.errors import ConfigurationError, ServerTrouble
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.sandbox.graph import appsecret_proof

Connect = Callable[..., GraphClient]

HOST = "graph.facebook.com"


def _certify(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for Meta's host that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Tunnel:
    """A proxy that plays the host at the far end of its tunnel as well, one connection after the other."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.heads: list[str] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, suppress(ssl.SSLError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.heads.append(_read_head(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self._context.wrap_socket(connection, server_side=True) as inner:
            self.heads.append(_read_head(inner))
            inner.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"id":"1"}')


def _read_head(connection: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head.decode()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return the paths of a certificate for Meta's host and of its key."""
    return _certify(tmp_path)


@pytest.fixture
def tunnel(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Tunnel]:
    """Run a proxy and point the environment to it."""
    running = Tunnel(*certificate)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(getattr(request, "param", "https_proxy"), running.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    yield running
    running.stop()


@pytest.mark.parametrize("tunnel", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"], indirect=True)
def test_secrets_travel_inside_the_tunnel_only(
    tunnel: Tunnel,
    certificate: tuple[Path, Path],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Over https through a proxy, the proxy sees the host alone; token and proof go to its far end, and to no log."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    client = connect(f"https://{HOST}", token="EAAGsecret99", app_secret="s3cret")
    assert client.get(GraphRequest("me", {"fields": "id"})).body == {"id": "1"}
    proof = appsecret_proof("EAAGsecret99", "s3cret")
    outer, inner = tunnel.heads
    assert outer.startswith(f"CONNECT {HOST}:443 ")
    assert inner.startswith(f"GET /v25.0/me?fields=id&appsecret_proof={proof} HTTP/1.1\r\n")
    assert "Authorization: Bearer EAAGsecret99\r\n" in inner
    for text in (outer, caplog.text):
        assert "EAAGsecret99" not in text
        assert proof not in text


def test_a_certificate_nobody_vouches_for_is_refused(tunnel: Tunnel, connect: Connect) -> None:
    """A host whose certificate does not verify gets no token; the error names the host and the reason."""
    client = connect(f"https://{HOST}", token="EAAGsecret99", max_tries=1)
    with pytest.raises(ServerTrouble, match=f"{HOST}: .*certificate verify failed"):
        client.get(GraphRequest("me", {}))
    assert not any("EAAGsecret99" in head for head in tunnel.heads)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks4://user:pa55word@127.0.0.1:1",
        "socks5://user:pa55word@127.0.0.1:1",
        "SOCKS5h://user:pa55word@127.0.0.1:1",
        # A password with # ends the address there; a port that is none; no scheme; no proxy's scheme.
        "http://user:pa55word#1@127.0.0.1:1",
        "http://user:pa55word@127.0.0.1:1x",
        "user:pa55word@127.0.0.1:1",
        "ftp://user:pa55word@127.0.0.1:1",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_at_once(
    proxy: str, connect: Connect, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """Such a proxy of the environment is an error of the configuration: it names the remedy and is not retried."""
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", proxy)
    client = connect(f"https://{HOST}", token="EAAGsecret99")
    with pytest.raises(ConfigurationError, match=r"SOCKS proxy, .*\. Set HTTPS_PROXY .*percent-encoded") as caught:
        client.get(GraphRequest("me", {}))
    assert "pa55word" not in str(caught.value)
    assert pauses == []
