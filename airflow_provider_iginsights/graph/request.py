"""What travels through this ring: a request, whom it is about, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

from airflow_provider_iginsights.graph.redact import MASK, SECRET_PARAMETERS

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
