"""The two halves of one HTTP exchange: the call to make and what came of it, before anybody judged it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from airflow_provider_iginsights.graph.headers import read_date, read_media_type, read_served_version
from airflow_provider_iginsights.graph.json_text import read_json
from airflow_provider_iginsights.graph.request import GraphRequest

_NAME = re.compile(r"[a-z0-9.-]{1,80}")

Flaw = Literal["no_answer", "timed_out", "cut", "not_json", "not_a_list", "too_large", "redirect"]
"""What keeps a reply from being one: the server was not reached; it took the request, but no answer came in time or the
connection was dropped; the answer broke off, is not the JSON due, brings no list where a listing was asked for, is
larger than any may be, points elsewhere."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call. ``shape`` is the JSON due, ``form`` makes it a POST, ``weight`` is how many reads it holds."""

    request: GraphRequest
    shape: type = dict
    form: Mapping[str, str] | None = field(default=None, repr=False)
    weight: int = 1

    @property
    def method(self) -> Literal["GET", "POST"]:
        """Return the HTTP method."""
        return "GET" if self.form is None else "POST"

    def __str__(self) -> str:
        """Return ``GET PATH``, without host and query."""
        return f"{self.method} {self.request.path or '/'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a call: parsed JSON in ``payload``, or a ``flaw`` with a ``detail`` that holds no secret.

    ``status`` is None where no answer arrived. The names in ``headers`` are case-insensitive.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    payload: Any = field(default=None, repr=False)
    flaw: Flaw | None = None
    detail: str = ""

    @property
    def served(self) -> str:
        """Return the Graph API version that Meta says it served, such as ``v25.0``; empty where it says nothing."""
        return read_served_version(self.headers)

    @property
    def date(self) -> datetime | None:
        """Return when Meta made the answer, by its own clock; None where it does not say."""
        return read_date(self.headers)


def read_reply(status: int, headers: Mapping[str, str], content: bytes | str, shape: type) -> Reply:
    """Parse what arrived: over HTTP, or as an item of a batch. An ``error`` object counts as an answer of any shape."""
    if 300 <= status < 400:
        detail = f"HTTP {status} to {_name_host(headers.get('location', ''))}"
        return Reply(status=status, headers=headers, flaw="redirect", detail=detail)
    try:
        payload = read_json(content)
    except ValueError:
        return Reply(status=status, headers=headers, flaw="not_json", detail=_describe(status, headers, content))
    refusal = isinstance(payload, dict) and "error" in payload
    if not refusal and (status >= 400 or not isinstance(payload, shape)):
        detail = f"HTTP {status} with JSON that is no answer of the Graph API"
        return Reply(status=status, headers=headers, flaw="not_json", detail=detail)
    return Reply(status=status, headers=headers, payload=payload)


def _describe(status: int, headers: Mapping[str, str], content: bytes | str) -> str:
    return f"HTTP {status} with {len(content)} characters of {read_media_type(headers) or 'no known media type'}"


def _name_host(location: str) -> str:
    try:
        name = urlsplit(location).hostname or ""
    except ValueError:
        return "no valid address"
    return name if _NAME.fullmatch(name) else "another path or no valid address"
