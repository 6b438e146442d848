"""Replaces addresses by others that do not tell whose they are, and keeps what kind of address each is."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from airflow_provider_iginsights.cassettes.meta_words import is_made_of_words
from airflow_provider_iginsights.cassettes.pseudonyms import TOKEN, Pseudonyms
from airflow_provider_iginsights.cassettes.request_words import PLAIN_PARAMETERS, is_secret, replace_plain

_GRAPH_HOSTS: Final = ("graph.facebook.com", "graph.instagram.com", "127.0.0.1")
_DOCUMENTATION: Final = "developers.facebook.com"
_HOSTS: Final = (
    *_GRAPH_HOSTS,
    _DOCUMENTATION,
    "www.instagram.com",
    "instagram.com",
    "www.facebook.com",
    "scontent.cdninstagram.com",
)
_WORDS: Final = frozenset(
    {"p", "reel", "reels", "tv", "stories", "insights", "media", "me", "accounts", "docs", "v", ""}
)
"""Segments of a path that are the same for everybody."""

_VERSION = re.compile(r"v[0-9]+\.[0-9]+")
_FILE_TYPE = re.compile(r"\.(?:jpe?g|png|gif|webp|heic|avif|mp4|mov|webm|mp3|m4a)\Z")
_SHORT_NAME = re.compile(r"_nc_[a-z]{1,8}|[a-z]{1,3}")
_IDS = re.compile("[0-9]+(?:_[0-9]+)*")
_NO_ID = re.compile("[0-9]{1,4}(?:_|\\Z)")
"""How a username of digits begins that is too short for an id: up to four of them."""
_LONG_IDS = re.compile("[0-9]{5,}(?:_[0-9]{5,})*")


def replace_address(text: str, pseudonyms: Pseudonyms) -> str:
    """Return an address with another host (but for Meta's), path, parameters and fragment."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
    except ValueError:
        return pseudonyms.replace_text(text)
    shown = host if host in _HOSTS else _replace_host(host, pseudonyms)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([_replace_parameter(*pair, host, pseudonyms) for pair in pairs], errors="replace")
    path = "/".join(_replace_segments(parts.path.split("/"), host, pseudonyms))
    fragment = parts.fragment if _is_document(parts.fragment, host) else pseudonyms.replace_opaque(parts.fragment)
    return SplitResult(parts.scheme, shown, path, query, fragment).geturl()


def _is_document(text: str, host: str) -> bool:
    """Return whether a part of an address leads to a page for developers, which an error names."""
    return host == _DOCUMENTATION and is_made_of_words(text.replace("-", " "))


def _replace_host(host: str, pseudonyms: Pseudonyms) -> str:
    if not host:
        return ""
    meta = next((name for name in ("cdninstagram.com", "fbcdn.net") if host.endswith(f".{name}")), None)
    return f"scontent.{meta}" if meta else f"{pseudonyms.replace_text(host)}.example"


def _replace_segments(segments: list[str], host: str, pseudonyms: Pseudonyms) -> list[str]:
    replaced, before = [], ""
    for segment in segments:
        # https://www.instagram.com/NAME and …/stories/NAME hold a username, as the field does.
        is_username = host.endswith("instagram.com") and "cdn" not in host and before in ("", "stories")
        is_kept = _is_document(segment, host)
        replaced.append(segment if is_kept else _replace_segment(segment, pseudonyms, is_username=is_username))
        before = segment
    return replaced


def _replace_segment(segment: str, pseudonyms: Pseudonyms, *, is_username: bool) -> str:
    if segment in _WORDS or _VERSION.fullmatch(segment):
        return segment
    if _IDS.fullmatch(segment) and not (is_username and _NO_ID.match(segment)):
        return pseudonyms.replace_ids(segment)
    plain = unquote(segment, errors="replace")
    if is_username:
        return quote(pseudonyms.replace_text(plain), errors="replace")
    kind = _FILE_TYPE.search(plain)
    end = kind.start() if kind else len(plain)
    return quote(pseudonyms.replace_opaque(plain[:end]) + plain[end:], errors="replace")


def _replace_parameter(name: str, value: str, host: str, pseudonyms: Pseudonyms) -> tuple[str, str]:
    if is_secret(name):
        return name if is_made_of_words(name) else pseudonyms.replace_opaque(name), TOKEN
    shown = name if is_made_of_words(name) or _SHORT_NAME.fullmatch(name) else pseudonyms.replace_opaque(name)
    if host in _GRAPH_HOSTS and name in PLAIN_PARAMETERS:
        return shown, replace_plain(name, value)
    replace = pseudonyms.replace_ids if _LONG_IDS.fullmatch(value) else pseudonyms.replace_opaque
    return shown, replace(value)
