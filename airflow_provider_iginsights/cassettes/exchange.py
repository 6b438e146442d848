"""One request to the Graph API and what came of it, as a cassette holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One read, without host, version and secrets. Two of them are equal where they ask for the same."""

    login: str
    path: str
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def make(cls, login: str, path: str, params: Mapping[str, str]) -> RecordedRequest:
        """Return a request in the form by which requests are compared: the parameters in the order of their names."""
        return cls(login, path.strip("/"), tuple(sorted(params.items())))

    def __str__(self) -> str:
        """Return ``GET PATH?QUERY``, readable."""
        query = "&".join(f"{name}={value}" for name, value in self.params)
        return f"GET {self.path}{'?' if query else ''}{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """An answer: a status with a body, or the ``problem`` for which there is none.

    :param content: the body, as :mod:`.json_bodies` says.
    :param problem: also ``no_item``: an item of a batch that is of no known form, and is the content itself.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedExchange:
    """One HTTP call. ``requests`` has one item, or those of a batch.

    :param at: when the answer was there (aware UTC).
    :param version: the pinned version of the Graph API.
    :param answer: that of the call.
    :param items: those of the requests of a batch, None for one that Meta left out; None where the call is no batch, or
        was answered as a whole.
    """

    at: datetime
    version: str
    requests: Sequence[RecordedRequest]
    is_batch: bool
    answer: RecordedAnswer
    items: Sequence[RecordedAnswer | None] | None = None


def split_relative_url(address: str) -> tuple[str, dict[str, str]]:
    """Return path and parameters of an item of a batch, without the version."""
    parts = urlsplit(address)
    version, _, path = parts.path.strip("/").partition("/")
    return path if is_version_segment(version) else parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


def is_version_segment(text: str) -> bool:
    """Return whether a segment of a path is a version, such as ``v25.0``."""
    return text[:1] == "v" and text[1:].replace(".", "", 1).isdecimal()
