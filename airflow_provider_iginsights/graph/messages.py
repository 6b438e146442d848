"""The messages to and from Meta: a request and its subject, the HTTP call that sends it, the reply, the answer."""

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
    """The object that a request is about. Messages name it, and the meaning of some error codes depends on its kind."""

    kind: SubjectKind
    id: str

    def __str__(self) -> str:
        """Return ``account 17841405822304914``, or only the kind where there is no id."""
        return f"{self.kind} {self.id}" if self.id else f"the {self.kind}"


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One read of the Graph API: ``path`` without host and version, such as ``17841405822304914/insights``.

    ``no_retry``: send it once only, since Meta's servers failed on other requests like it after all retries.
    """

    path: str
    params: Mapping[str, str]
    subject: Subject | None = None
    no_retry: bool = False

    @property
    def is_listing(self) -> bool:
        """Return whether the path is an edge, such as ``1784/insights``, which answers with a list in ``data``.

        ``oauth`` is no object: what stands behind it is no edge.
        """
        return "/" in self.path.strip("/") and not self.path.startswith("oauth/")

    @property
    def whom(self) -> str:
        """Return the name of the requested object in messages."""
        return str(self.subject) if self.subject else self.path or "the batch"

    def __repr__(self) -> str:
        """Show everything but the values of secret parameters."""
        shown = {name: MASK if name in SECRET_PARAMETERS else value for name, value in self.params.items()}
        return f"GraphRequest(path={self.path!r}, params={shown!r}, subject={self.subject!r})"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: ``body`` is the JSON object, ``api_version`` the version that Meta served, such as ``v25.0``.

    ``date`` is the header ``Date`` (aware UTC), None where it is missing; an item of a batch has the date of the whole
    batch. ``repr`` leaves the body out, since paging links and lists of Pages contain access tokens.
    """

    body: Any = field(repr=False)
    api_version: str
    request: GraphRequest
    date: datetime | None = None


def format_path(request: GraphRequest, version: str) -> str:
    """Return ``v25.0/PATH``, percent-encoded."""
    return f"{version}/{quote(request.path.strip('/'), safe='/')}"


def format_query(params: Mapping[str, str]) -> str:
    """Return the parameters as a query string. Commas, braces and parentheses of field lists are not encoded."""
    return urlencode(params, safe=",(){}")


TransportProblem = Literal[
    "no_answer", "timed_out", "cut", "not_json", "not_a_list", "too_large", "redirect", "unsupported_proxy"
]
"""Why a reply is no answer of the Graph API: the server was not reached; it took the request, but did not answer in
time or closed the connection; the answer is incomplete, is not the expected JSON, has no list where a listing was
requested, is larger than the limit, is a redirect; the proxy is of an unsupported kind."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call: ``body_type`` is the expected JSON type, ``form`` a POST, ``read_count`` counts its reads."""

    request: GraphRequest
    body_type: type = dict
    form: Mapping[str, str] | None = field(default=None, repr=False)
    read_count: int = 1

    @property
    def method(self) -> Literal["GET", "POST"]:
        """Return the HTTP method."""
        return "GET" if self.form is None else "POST"

    def __str__(self) -> str:
        """Return ``GET PATH``, without host and query."""
        return f"{self.method} {self.request.path or '/'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The result of a call: parsed JSON in ``payload``, or a ``problem`` with a ``detail`` that contains no secret.

    ``status`` is None where no answer arrived. The names in ``headers`` are case-insensitive.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    payload: Any = field(default=None, repr=False)
    problem: TransportProblem | None = None
    detail: str = ""

    @property
    def error(self) -> Any:
        """Return what the answer names as its error; None where it names none, or ``"error": null``."""
        return find_error(self.payload)

    @property
    def served_version(self) -> str:
        """Return the Graph API version that Meta served, such as ``v25.0``; ``""`` where the header is missing."""
        return read_served_version(self.headers)

    @property
    def date(self) -> datetime | None:
        """Return Meta's ``Date`` header (aware UTC); None where it is missing."""
        return read_date(self.headers)


def find_error(payload: Any) -> Any:
    """Return what a JSON answer names as its error; None where it names none, or an empty one."""
    return (payload.get("error") or None) if isinstance(payload, dict) else None


def read_reply(status: int, headers: Mapping[str, str], content: bytes | str, body_type: type) -> Reply:
    """Parse an HTTP answer or an item of a batch. An ``error`` object is accepted whatever ``body_type`` is."""
    # A redirect is not followed: the token would be sent to the address that it names.
    if 300 <= status < 400:
        detail = f"HTTP {status} to {_name_host(headers.get('location', ''))}"
        return Reply(status=status, headers=headers, problem="redirect", detail=detail)
    try:
        payload = read_json(content)
    except ValueError:
        return Reply(status=status, headers=headers, problem="not_json", detail=_describe(status, headers, content))
    is_error = find_error(payload) is not None
    if not is_error and (status >= 400 or not isinstance(payload, body_type)):
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
