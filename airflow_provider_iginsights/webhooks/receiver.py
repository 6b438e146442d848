"""The receiver: an ASGI application that takes Meta's calls, believes signed ones, and says 200 only for kept ones.

=======  =====================================================  ==============================================
status   when                                                   what Meta does
=======  =====================================================  ==============================================
200      the story numbers are kept, or there were none          nothing more
400      signed, but no JSON                                     tries again, for 36 hours
401      not signed with the app's secret                        (it was not Meta, or the secret is wrong)
403      a subscription with another verify token                shows the error in the App Dashboard
408      the body did not come within ten seconds                tries again
413      more than 1 MiB: 1,000 changes need a quarter of that   tries again
429      more calls a minute than this process allows            tries again
503      the secrets could not be read, or nothing was kept      tries again
=======  =====================================================  ==============================================

Nothing of a call is logged before its signature was checked.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.webhooks.payload import read_json, select_story_insights
from airflow_provider_iginsights.webhooks.rate_limit import RateLimit
from airflow_provider_iginsights.webhooks.verification import (
    SIGNATURE_HEADER,
    WebhookSecrets,
    answer_verification,
    is_signed,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

log: logging.Logger = logging.getLogger(__name__)

PATH = "/webhook"
# Meta sends at most 1,000 changes in a call ("Webhooks from Meta: Getting Started"), a quarter of this.
LARGEST_BODY = 1024 * 1024
BODY_SECONDS = 10.0
PER_MINUTE = 600
_QUERY = "airflow_provider_iginsights.query"
"""Where the query of a call stands in its scope."""

Keep = Callable[[list[dict[str, Any]]], None]


class Refusal(Exception):
    """A call that ends here. ``reason`` holds nothing of what was sent."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _HideQueryMiddleware:
    """Takes the query out of each call's address, whatever it is answered with.

    The verify token is a part of it, and servers write addresses into their access logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server's own mapping: it looks into it once the answer is there.
        scope[_QUERY], scope["query_string"] = scope.get("query_string", b""), b""
        await self._app(scope, receive, send)


class Receiver:
    """Answers Meta's calls.

    :param secrets: returns the secrets; called in a thread at every call, so it should remember them for a while.
    :param keep: stores the notifications durably, or raises; called in a thread.
    :param per_minute: calls that one address may make in a minute; other processes count their own.
    """

    def __init__(self, *, secrets: Callable[[], WebhookSecrets], keep: Keep, per_minute: int = PER_MINUTE) -> None:
        self._secrets = secrets
        self._keep = keep
        self._calls = RateLimit(per_minute)
        # Anybody may call a public address: the log gets six lines a minute and process for each reason at most.
        self._log_limit = RateLimit(6)

    def make_app(self) -> Starlette:
        """Return the ASGI application, with one route: :data:`PATH`."""
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Route

        routes = [Route(PATH, self.answer, methods=["GET", "POST"])]
        return Starlette(routes=routes, middleware=[Middleware(_HideQueryMiddleware)])

    async def answer(self, request: Request) -> Response:
        """Answer one call."""
        from starlette.requests import ClientDisconnect
        from starlette.responses import PlainTextResponse

        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        try:
            self._admit(request)
            answer = self._confirm if request.method == "GET" else self._receive
            return PlainTextResponse(await answer(request), headers=headers)
        except Refusal as refusal:
            self._log_refusal(refusal)
            if refusal.status == 429:
                headers["Retry-After"] = "60"
            return PlainTextResponse(f"{refusal.reason}\n", status_code=refusal.status, headers=headers)
        except ClientDisconnect:
            return PlainTextResponse("", status_code=400)

    def _admit(self, request: Request) -> None:
        if not self._calls.take(request.client.host if request.client else ""):
            raise Refusal(429, "too many calls in a minute")

    async def _confirm(self, request: Request) -> str:
        from starlette.datastructures import QueryParams

        query = dict(QueryParams(request.scope[_QUERY]))
        challenge = answer_verification(query, verify_token=(await self._read_secrets()).verify_token)
        if challenge is None:
            raise Refusal(403, "the verify token is another one")
        return challenge

    async def _receive(self, request: Request) -> str:
        signature = request.headers.get(SIGNATURE_HEADER)
        if not signature:
            raise Refusal(401, "the call is not signed")
        body = await _read_body(request)
        if not is_signed(body, signature, app_secret=(await self._read_secrets()).app_secret):
            raise Refusal(401, "the signature is not that of the app")
        try:
            notifications = select_story_insights(read_json(body))
        except ValueError:
            raise Refusal(400, "the body is no JSON") from None
        # A call without story numbers (a test, another field) is confirmed as well, else Meta repeats it (META-35).
        if notifications:
            await self._store(list(notifications))
        return "EVENT_RECEIVED"

    async def _read_secrets(self) -> WebhookSecrets:
        try:
            return await asyncio.to_thread(self._secrets)
        except Exception as error:
            # Only where it came from: the text of whatever reads secrets can hold them.
            self._report("The webhook's secrets cannot be read", error, debug=traceback.format_tb(error.__traceback__))
            raise Refusal(503, "the receiver is not ready") from error

    async def _store(self, notifications: list[dict[str, Any]]) -> None:
        try:
            await asyncio.to_thread(self._keep, notifications)
        except Exception as error:
            self._report("Story numbers could not be kept", error, debug=traceback.format_exception(error))
            raise Refusal(503, "the notification could not be kept") from error

    def _log_refusal(self, refusal: Refusal) -> None:
        if refusal.status != 503 and self._log_limit.take(refusal.reason):
            log.warning("A webhook call was refused with %d: %s.", refusal.status, refusal.reason)

    def _report(self, what: str, error: Exception, *, debug: list[str]) -> None:
        if self._log_limit.take(what):
            # Other errors than ours are only named: the text of a database's can hold what it was to store.
            named = error.message if isinstance(error, InsightsError) else f"{type(error).__name__}."
            log.error("%s; Meta will call again. %s", what, named)
            log.debug("What went wrong:\n%s", "".join(debug))


async def _read_body(request: Request) -> bytes:
    """Return the raw body, unless it is, or says it is, too long, or comes too slowly."""
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            if not declared.isascii() or not declared.isdigit() or int(declared[:20]) > LARGEST_BODY:
                raise Refusal(413, "the body is too long")
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise Refusal(413, "the body is too long")
    except TimeoutError:
        raise Refusal(408, "the body did not arrive in time") from None
    return bytes(body)
