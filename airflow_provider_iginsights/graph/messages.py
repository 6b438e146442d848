"""What travels to Meta and back: a request and whom it is about, the HTTP call that carries it, what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from airflow_provider_iginsights.graph.headers import read_date, read_media_type, read_served_version
from airflow_provider_iginsights.graph.json_text import read_json
from airflow_provider_iginsights.graph.redact import MASK, SECRET_PARAMETERS

_NAME = re.compile(r"[a-z0-9.-]{1,80}")

SubjectKind = Literal["account", "media", "story", "user", "page", "token"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a request is about, for messages and for error codes whose meaning depends on it. ``id`` may be empty."""

    kind: SubjectKind
    id: str

    def __str__(self) -> str:
        """Return ``account 17841405822304914``, or only the kind where there is no id."""
        return f"{self.kind} {self.id}" if self.id else f"the {self.kind}"


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One read of the Graph API: ``path`` without host and version, such as ``17841405822304914/insights``.

    ``once``: Meta's servers failed to answer others like it, with all patience: it is tried once.
    """

    path: str
    params: Mapping[str, str]
    subject: Subject | None = None
    once: bool = False

    @property
    def is_listing(self) -> bool:
        """Return whether an edge is read, such as ``1784/insights``: it answers with a list of ``data``, a node not."""
        return "/" in self.path.strip("/")

    @property
    def whom(self) -> str:
        """Return what a message calls the object that was asked for."""
        return str(self.subject) if self.subject else self.path or "the batch"

    def __repr__(self) -> str:
        """Show everything but the values of parameters that carry credentials."""
        shown = {name: MASK if name in SECRET_PARAMETERS else value for name, value in self.params.items()}
        return f"GraphRequest(path={self.path!r}, params={shown!r}, subject={self.subject!r})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``body`` is the JSON object, ``api_version`` the version that Meta served, such as ``v25.0``.

    ``date`` is when Meta made the answer by its own clock (header ``Date``, aware UTC), None where it did not say; an
    item of a batch has its envelope's. ``repr`` leaves the body out: paging links and Page lists hold access tokens.
    """

    body: Any = field(repr=False)
    api_version: str
    request: GraphRequest
    date: datetime | None = None


def spell_path(request: GraphRequest, version: str) -> str:
    """Return ``v25.0/PATH``, percent-encoded."""
    return f"{version}/{quote(request.path.strip('/'), safe='/')}"


def spell_query(params: Mapping[str, str]) -> str:
    """Return the parameters as a query string; commas, braces and parentheses of field lists stay readable."""
    return urlencode(params, safe=",(){}")


TransportProblem = Literal["no_answer", "timed_out", "cut", "not_json", "not_a_list", "too_large", "redirect"]
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
    problem: TransportProblem | None = None
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
        return Reply(status=status, headers=headers, problem="redirect", detail=detail)
    try:
        payload = read_json(content)
    except ValueError:
        return Reply(status=status, headers=headers, problem="not_json", detail=_describe(status, headers, content))
    refusal = isinstance(payload, dict) and "error" in payload
    if not refusal and (status >= 400 or not isinstance(payload, shape)):
        detail = f"HTTP {status} with JSON that is no answer of the Graph API"
        return Reply(status=status, headers=headers, problem="not_json", detail=detail)
    return Reply(status=status, headers=headers, payload=payload)


def _describe(status: int, headers: Mapping[str, str], content: bytes | str) -> str:
    return f"HTTP {status} with {len(content)} characters of {read_media_type(headers) or 'no known media type'}"


def _name_host(location: str) -> str:
    try:
        name = urlsplit(location).hostname or ""
    except ValueError:
        return "no valid address"
    return name if _NAME.fullmatch(name) else "another path or no valid address"
