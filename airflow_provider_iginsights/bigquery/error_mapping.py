"""What BigQuery's refusals mean: which pass by themselves, and what a person has to do about the others.

Reasons are those of BigQuery's error table ("Error messages" in the BigQuery documentation). A refusal arrives either
as an HTTP error or as the ``errorResult`` of a finished job; both are read by the same rows.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.failures import (
    BUSY_REASONS,
    BUSY_TEXTS,
    CREDENTIALS,
    FAILURES,
    LOST_REASONS,
    OTHERWISE,
)
from airflow_provider_iginsights.errors import DatasetUnavailable, GraphFacts, LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BAD_ADDRESS = (
    "The address of a proxy or of an emulator in the environment cannot be used. Correct HTTPS_PROXY (http://, and "
    "what is no letter or digit in a name or password of it percent-encoded) or BIGQUERY_EMULATOR_HOST (with http://)."
)
_NOT_BIGQUERY = (
    "That is a page, and no answer of BigQuery: a proxy, a firewall or another server on the way sent it. Let the "
    "worker reach bigquery.googleapis.com and oauth2.googleapis.com, and run the task again. Nothing is written twice "
    "by that."
)
_PAGE = re.compile(r"<!doctype html|<html[\s>]", re.IGNORECASE)
_TAGS = re.compile(r"<(style|script)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
# The query of an upload's address is all that somebody needs to upload in its place.
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S*?(?=:?(?:\s|$))")
_UNTRUSTED = (
    "The worker does not trust the certificate that was shown, which a proxy that looks into connections does with one "
    "of its own, and so does a worker whose clock is wrong. Let REQUESTS_CA_BUNDLE name a file with the proxy's "
    "certificate among the others, and run the task again."
)
_UNANSWERED = "No usable answer came from BigQuery; run the task again. Nothing is written twice by that."


class JobFailed(Exception):
    """A job ended with an ``errorResult``. Stays inside this room."""

    def __init__(self, job: Any) -> None:
        result: Mapping[str, str] = job.error_result or {}
        rows = [error.get("message", "") for error in (job.errors or [])[:3]]
        self.reason: str = result.get("reason", "")
        super().__init__("; ".join(dict.fromkeys([result.get("message", ""), *rows])))


def reasons(error: BaseException) -> frozenset[str]:
    """Return the BigQuery reasons and the HTTP status (as text) that an error carries."""
    if isinstance(error, JobFailed):
        return frozenset({error.reason})
    if _is_of_credentials(error):
        return frozenset({CREDENTIALS})
    # An HTTP error of BigQuery's API lists details with a reason each; its status alone covers several reasons.
    details = getattr(error, "errors", None) or ()
    said = {detail.get("reason", "") for detail in details if isinstance(detail, dict)}
    code = getattr(error, "code", None)
    return frozenset(said | ({str(int(code))} if code else set())) - {""}


def is_busy(error: BaseException) -> bool:
    """Tell whether BigQuery asks to come back later: DML queue full, rate limit, a conflict it gave up on."""
    if reasons(error) & (BUSY_REASONS | {"429"}):
        return True
    return _speaks(error) and any(text.lower() in str(error).lower() for text in BUSY_TEXTS)


def is_lost(error: BaseException) -> bool:
    """Tell whether an answer was lost or BigQuery failed by itself, so that asking again can help."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    if reasons(error) & LOST_REASONS:
        return True
    if has_bad_address(error):
        return False
    # 501 is a server error by its number, but no retry helps.
    if isinstance(error, api.MethodNotImplemented):
        return False
    if isinstance(error, auth.GoogleAuthError) and getattr(error, "retryable", False):
        return True
    lost = (api.ServerError, api.RetryError, auth.TransportError, requests.RequestException, ConnectionError)
    return isinstance(error, (*lost, TimeoutError))


def has_bad_address(error: BaseException) -> bool:
    """Tell whether an address of the environment is none. The error may repeat a proxy's password: it is not shown."""
    from requests import exceptions as http

    bad = (http.InvalidURL, http.InvalidSchema, http.MissingSchema)
    return isinstance(error, bad) or isinstance(error.__cause__, bad)


def is_page(error: BaseException) -> bool:
    """Tell whether a page for people came, and so no answer of BigQuery, though its status may look like one."""
    return not isinstance(error, JobFailed) and _PAGE.search(str(error)) is not None


def speaks_of_bigquery(error: BaseException) -> bool:
    """Tell whether an error comes from BigQuery, its client or the way there (and not from a mistake in our code)."""
    from google.auth import exceptions as auth

    known = isinstance(error, auth.GoogleAuthError) or has_bad_address(error)
    return known or _speaks(error) or is_lost(error)


def load_error(error: BaseException, *, doing: str, role: str) -> LoadError:
    """Return the error to raise: what was tried, what BigQuery said, what to do.

    :param doing: completes "BigQuery refused to ..."
    :param role: the role that ``doing`` needs, named if access was denied.
    """
    if has_bad_address(error):
        return DatasetUnavailable(f"The attempt to {doing} was given up. {_BAD_ADDRESS}")
    said = _said_by(error)
    if is_page(error):
        return LoadError(f"The attempt to {doing} was given up: {said}. {_NOT_BIGQUERY}")
    if is_lost(error) and not isinstance(error, JobFailed):
        advice = _UNTRUSTED if "certificate_verify_failed" in said.lower() else _UNANSWERED
        return LoadError(f"The attempt to {doing} was given up: {said}. {advice}")
    known = reasons(error)
    # A status such as 403 stands for many reasons; the reason itself says more.
    ranked = sorted(FAILURES, key=lambda each: not each.texts and not any(map(str.isalpha, each.reasons & known)))
    failure = next((each for each in ranked if each.fits(known, said.lower())), OTHERWISE)
    code = getattr(error, "code", None)
    facts = GraphFacts(http_status=int(code) if code else None)
    who = "Google's login" if CREDENTIALS in known else "BigQuery"
    return failure.error(f"{who} refused to {doing}: {said}. {failure.advice.format(role=role)}", facts=facts)


def _speaks(error: BaseException) -> bool:
    from google.api_core import exceptions as api

    return isinstance(error, JobFailed | api.GoogleAPIError)


def _is_of_credentials(error: BaseException) -> bool:
    from google.auth import exceptions as auth

    return isinstance(error, auth.GoogleAuthError) and not isinstance(error, auth.TransportError)


def _said_by(error: BaseException) -> str:
    """Return an error's own words as one line; google-auth puts the answer behind its words."""
    words = [str(getattr(error, "message", "") or error)]
    if _is_of_credentials(error):
        words = [_words_of(each) for each in error.args]
    # The answer's own description often is a part of google-auth's words.
    new = [text for place, text in enumerate(words) if text and not any(text in known for known in words[:place])]
    text = _QUERY.sub(r"\1", ": ".join(new))
    if _PAGE.search(text):
        text = _TAGS.sub(" ", text)
    return " ".join(text.split())[:1500].rstrip(".")


def _words_of(answer: Any) -> str:
    """Return what an answer of Google's login says in words; other parts of it are left out."""
    with suppress(ValueError, TypeError):
        answer = json.loads(answer)
    if not isinstance(answer, dict):
        return str(answer).rstrip(".")
    error = answer.get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else str(answer.get("error_description", ""))
