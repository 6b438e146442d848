"""The script of what goes wrong.

Answers get lost, requests are refused, jobs fail or crawl.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.server import ASGIApp, Receive, Scope, Send, cut_connection

__all__ = ["BigQueryFault", "BigQueryRequest", "Effect", "FaultMiddleware", "Faults"]

Effect = Literal[
    "accessDenied",
    "answerLost",
    "badGateway",
    "internalError",
    "quotaExceeded",
    "rateLimitExceeded",
    "serviceUnavailable",
    "tooManyRequests",
    "backendError",
    "jobBackendError",
    "jobInternalError",
    "slowJob",
    "billingNotEnabled",
    "kmsDenied",
    "kmsKeyRequired",
    "policyTagDenied",
    "tableDenied",
    "vpcServiceControls",
]

_REFUSALS: dict[str, tuple[str, str]] = {
    "accessDenied": ("accessDenied", "Access Denied: the sandbox was told to refuse this request."),
    "badGateway": ("badGateway", "The server encountered a temporary error (502)."),
    "internalError": ("internalError", "An internal error occurred and the request could not be completed (500)."),
    "quotaExceeded": ("quotaExceeded", "Quota exceeded: Your project exceeded quota for imports per project."),
    "rateLimitExceeded": ("rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method."),
    "serviceUnavailable": ("backendError", "The service is currently unavailable (503)."),
    "tooManyRequests": ("tooManyRequests", "Too many requests (429)."),
}
# Reasons of a job's errorResult, which comes with HTTP 200: only the job says that it failed ("Error messages").
_JOB_ERRORS: dict[str, tuple[str, str]] = {
    "jobBackendError": ("jobBackendError", "The job encountered an error during execution. Retrying may solve it."),
    "backendError": ("backendError", "An internal error occurred during execution. Retrying may solve the problem."),
    "jobInternalError": ("jobInternalError", "The job encountered an internal error during execution."),
}
# Texts as users have published them: BigQuery has one reason, accessDenied, for most of these, and only the text tells
# them apart.
_DENIALS: dict[str, tuple[str, str]] = {
    "billingNotEnabled": (
        "billingNotEnabled",
        "Billing has not been enabled for this project. Enable billing at https://console.cloud.google.com/billing. "
        "DML queries are not allowed in the free tier. Set up a billing account to remove this restriction.",
    ),
    "kmsDenied": (
        "accessDenied",
        "Access Denied: BigQuery BigQuery: Cloud KMS Error: Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' "
        "denied on resource 'projects/keys/locations/us/keyRings/ring/cryptoKeys/key' (or it may not exist). Please "
        "grant Cloud KMS CryptoKey Encrypter/Decrypter role to BigQuery service account: "
        "bq-1@bigquery-encryption.iam.gserviceaccount.com",
    ),
    "kmsKeyRequired": (
        "accessDenied",
        "Your administrator requires that you specify an encryption key for queries in project sandbox-project. See "
        "https://cloud.google.com/bigquery/docs/customer-managed-encryption for more info.",
    ),
    "policyTagDenied": (
        "accessDenied",
        'Access Denied: BigQuery BigQuery: User does not have permission to access policy tag "Business : High" on '
        "column sandbox-project.instagram.instagram_account_insights.value.",
    ),
    "tableDenied": (
        "accessDenied",
        "Access Denied: Table sandbox-project:instagram.instagram_account_insights: Permission "
        "bigquery.tables.updateData denied on table sandbox-project:instagram.instagram_account_insights (or it may "
        "not exist).",
    ),
    "vpcServiceControls": (
        "policyViolation",
        "VPC Service Controls: Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: "
        "XlFLBBM_Wstu6u3Qn5s1K.",
    ),
}
_LARGEST_BODY = 8 << 20
_MAKES_A_JOB = re.compile(r"(POST|PUT) /.*/(jobs|queries)$")


@dataclass(frozen=True, slots=True)
class BigQueryFault:
    """What happens to which requests.

    ``route`` and ``body`` are regular expressions searched in ``"METHOD /path"`` and in the request's body (at most
    8 MB); the first ``skip`` matches pass, then ``times`` of them are hit (None = all). Effects:

    * ``answerLost``: the request is carried out, then the connection is closed without an answer (a load of 5 MB and
      more, or of unknown size, is a POST that begins it and PUTs, the last of which makes the job);
    * ``internalError`` (500), ``badGateway`` (502), ``serviceUnavailable`` (503), ``tooManyRequests`` (429),
      ``rateLimitExceeded``, ``quotaExceeded`` and ``accessDenied`` (403): refused before anything is done;
    * ``backendError``, ``jobBackendError``, ``jobInternalError``: the job the request creates ends with this error, and
      does nothing; ``slowJob``: it is RUNNING for ``seconds`` before it does its work;
    * ``billingNotEnabled``, ``kmsDenied``, ``kmsKeyRequired``, ``policyTagDenied``, ``tableDenied``,
      ``vpcServiceControls``: the job, or the request where it makes none, ends with what BigQuery says about that; a
      dry run is answered with it.
    """

    route: str
    effect: Effect
    body: str = ""
    times: int | None = 1
    skip: int = 0
    seconds: float = 0.0

    def job_error(self) -> BigQueryError | None:
        """How the job ends, if the effect is about that."""
        found = _JOB_ERRORS.get(self.effect) or _DENIALS.get(self.effect)
        return BigQueryError(*found) if found else None

    def refusal(self, route: str) -> BigQueryError | None:
        """Return the answer, if the effect is a refusal of this ``"METHOD /path"``."""
        found = _REFUSALS.get(self.effect)
        # Such a refusal of a request that makes a job ends the job instead; see job_error.
        if not _MAKES_A_JOB.search(route):
            found = found or _DENIALS.get(self.effect)
        return BigQueryError(*found) if found else None


@dataclass(frozen=True, slots=True)
class BigQueryRequest:
    """A request that was made, and the status it was answered with (None = the connection was cut)."""

    method: str
    path: str
    status: int | None


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_ActiveFault] = []

    def add(self, fault: BigQueryFault) -> None:
        """Add a fault; the first active one that matches a request hits it."""
        with self._lock:
            self._active.append(_ActiveFault(fault))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._active.clear()

    @property
    def reads_bodies(self) -> bool:
        """Whether any fault looks into bodies."""
        return any(active.fault.body for active in self._active)

    def take(self, route: str, body: str) -> BigQueryFault | None:
        """Return the fault that hits this request; it is counted off."""
        with self._lock:
            return next((active.fault for active in self._active if active.hits(route, body)), None)


@dataclass(slots=True)
class _ActiveFault:
    fault: BigQueryFault
    seen: int = 0

    def hits(self, route: str, body: str) -> bool:
        if not (re.search(self.fault.route, route) and re.search(self.fault.body, body)):
            return False
        self.seen += 1
        hit = self.seen - self.fault.skip
        return hit > 0 and (self.fault.times is None or hit <= self.fault.times)


class FaultMiddleware:
    """The ASGI middleware around the application: keeps the log and lets faults happen."""

    def __init__(self, app: ASGIApp, faults: Faults, log: list[BigQueryRequest]) -> None:
        self._app = app
        self._faults = faults
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; it is in the log before its answer is out."""
        body, receive = await self._read_body(scope, receive)
        fault = self._faults.take(f"{scope['method']} {scope['path']}", body)
        scope["state"] = {"fault": fault}
        is_lost = fault is not None and fault.effect == "answerLost"

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                # The work is done by then: the client cannot tell a lost answer from a lost request.
                status = None if is_lost else message["status"]
                self._log.append(BigQueryRequest(scope["method"], scope["path"], status))
            if not is_lost:
                await send(message)

        refusal = fault.refusal(f"{scope['method']} {scope['path']}") if fault is not None else None
        if refusal is not None:
            await _refuse(refusal, answer)
        else:
            await self._app(scope, receive, answer)
        if is_lost:
            await cut_connection(scope)

    async def _read_body(self, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """Return the request's body, where a fault asks for it, and a channel that gives it again."""
        length = int(dict(scope["headers"]).get(b"content-length", 0))
        if not self._faults.reads_bodies or not 0 < length <= _LARGEST_BODY:
            return "", receive
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        known = iter(list(messages))

        async def again() -> MutableMapping[str, Any]:
            return next(known, None) or await receive()

        return b"".join(message.get("body", b"") for message in messages).decode(errors="replace"), again


async def _refuse(error: BigQueryError, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(error.body()).encode()})
