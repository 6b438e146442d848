"""Single calls to the Graph API: wait for the rate limit, send, count, and recognise a failure."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from airflow_provider_iginsights import waiting
from airflow_provider_iginsights.errors import Throttled
from airflow_provider_iginsights.graph.call_stats import CallStats
from airflow_provider_iginsights.graph.error_mapping import GraphFailure, map_error, map_transport_problem
from airflow_provider_iginsights.graph.headers import read_retry_after
from airflow_provider_iginsights.graph.messages import Call, Reply
from airflow_provider_iginsights.graph.rate_limit import RateLimiter, Usage, read_usage
from airflow_provider_iginsights.graph.retry import Retrier
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.graph.transport import Transport

logger: logging.Logger = logging.getLogger(__name__)


class ReadingStopped(BaseException):
    """Somebody stopped the client, and nothing more is asked.

    Like the exceptions that end a process, it passes all that tells one error from another.
    """


class GraphSession:
    """Makes calls for any number of accounts and threads. A failure is returned, never raised.

    After :meth:`stop`, every call raises ReadingStopped, until :meth:`close`.

    ``retrier`` holds the retry limits; the callers decide what is retried.
    """

    def __init__(
        self, settings: GraphSettings, *, sleep: Callable[[float], None] | None, clock: Callable[[], float]
    ) -> None:
        self.stats: CallStats = CallStats()
        self.on_date: Callable[[datetime], None] | None = None
        self._pinned_version = settings.api_version
        self._stopped = threading.Event()
        self._sleep = sleep or partial(waiting.sleep_until, self._stopped)
        self._transport = Transport(settings)
        self._rate_limiter = RateLimiter(threshold=settings.usage_threshold, max_pause=settings.max_pause, clock=clock)
        self.retrier: Retrier = Retrier(
            max_tries=settings.max_tries,
            max_seconds=settings.max_wait,
            sleep=self._pause,
            clock=clock,
            on_retry=partial(self.stats.count, retries=1),
        )

    def send(self, call: Call, *, account_id: str | None) -> Reply | GraphFailure:
        """Send one call, once; return the reply or the failure. For a blocked account nothing is sent."""
        try:
            self._pause(self._rate_limiter.find_pause(account_id))
        except Throttled as error:
            return GraphFailure(error)
        self._check_stopped()
        started = time.perf_counter()
        reply = self._transport.send(call)
        self._check_stopped()  # an answer that was cut off by it is no trouble of Meta's
        milliseconds = (time.perf_counter() - started) * 1000
        logger.debug("%s: %s in %.0f ms, %d reads", call, reply.status or reply.problem, milliseconds, call.read_count)
        self.stats.count(http=1, calls=call.read_count, about=account_id)
        if reply.date is not None and self.on_date is not None:
            self.on_date(reply.date)
        self._rate_limiter.record_usage(reply.headers, account_id)
        self._compare_version(reply)
        return self.find_failure(reply, call, account_id=account_id) or reply

    def find_failure(self, reply: Reply, call: Call, *, account_id: str | None) -> GraphFailure | None:
        """Return the failure that a reply stands for, or None. A rate limit error blocks the account from now on."""
        failure: GraphFailure | None = None
        if reply.problem:
            failure = map_transport_problem(reply, call, retry_after=_find_wait(reply))
        elif reply.error is not None:
            failure = map_error(
                reply.error,
                request=call.request,
                http_status=reply.status,
                asked=str(call),
                retry_after=_find_wait(reply),
                redact_text=self._transport.redact_text,
            )
        elif call.request.is_listing and not isinstance(reply.payload.get("data"), list):
            # An empty account has an empty list. An answer without a list would look the same, but says nothing.
            broken = replace(
                reply, problem="not_a_list", detail=f"HTTP {reply.status} with JSON without a list of data"
            )
            failure = map_transport_problem(broken, call, retry_after=_find_wait(reply))
        if failure and isinstance(failure.error, Throttled):
            self._rate_limiter.block(account_id, failure.error.retry_after or 0, code=failure.error.facts.code)
        return failure

    def record_usage(self, headers: Mapping[str, str], *, account_id: str | None) -> None:
        """Record the used part of an account's rate limit from the headers of one item of a batch."""
        self._rate_limiter.record_usage(headers, account_id)

    def is_near_limit(self, account_id: str | None) -> bool:
        """Return whether a rate limit is nearly used up, so that calls for the account go out one after the other."""
        return self._rate_limiter.is_near_limit(account_id)

    def take_app_usage(self) -> float:
        """Return the highest percentage of the app's rate limit that Meta reported since the last time; 0 = none."""
        return self._rate_limiter.take_app_usage()

    @property
    def usage(self) -> dict[str, Usage]:
        """What Meta reported last of its rate limits, by the object's id; ``""`` = of the app."""
        return self._rate_limiter.usage

    def stop(self) -> None:
        """End all waiting, and all calls under way, of all threads. May be called by a signal handler."""
        self._stopped.set()
        self._transport.abort()

    def close(self) -> None:
        """Close the connections of all threads."""
        self._transport.close()
        self._stopped.clear()

    def _compare_version(self, reply: Reply) -> None:
        # META-31: an ended version is served as another one, without an error.
        if reply.served_version and reply.served_version != self._pinned_version:
            self.stats.note(
                f"The connection pins Graph API {self._pinned_version}, but Meta answered as {reply.served_version}:"
                " the pinned version has ended or is not out yet. Set api_version in the connection's extras to one"
                " that Meta serves."
            )

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)
            self._check_stopped()
            self.stats.count(seconds_paused=seconds)

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise ReadingStopped(
                "The reading was stopped before it had ended. Run the task again: nothing is written twice."
            )


def _find_wait(reply: Reply) -> float | None:
    """Return the seconds to wait that the headers name: the account's minutes come first, then Retry-After."""
    minutes = max((usage.minutes for usage in read_usage(reply.headers)), default=0)
    return minutes * 60 if minutes > 0 else read_retry_after(reply.headers)
