"""One call as Meta wants it made: paced before, counted and judged after. What is tried again, ``retrier`` bounds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from airflow_provider_iginsights.errors import Throttled
from airflow_provider_iginsights.graph.call_stats import CallStats
from airflow_provider_iginsights.graph.error_mapping import GraphFailure, map_error, map_transport_problem
from airflow_provider_iginsights.graph.headers import read_retry_after
from airflow_provider_iginsights.graph.messages import Call, Reply
from airflow_provider_iginsights.graph.rate_limit import RateLimiter, read_usage
from airflow_provider_iginsights.graph.retry import Retrier
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.graph.transport import Transport

logger: logging.Logger = logging.getLogger(__name__)


class GraphSession:
    """Makes calls for any number of accounts and threads; what goes wrong is returned, never raised."""

    def __init__(self, settings: GraphSettings, *, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self.stats: CallStats = CallStats()
        self.on_date: Callable[[datetime], None] | None = None
        self._pinned = settings.api_version
        self._sleep = sleep
        self._transport = Transport(settings)
        self._rate_limiter = RateLimiter(threshold=settings.usage_threshold, max_pause=settings.max_pause, clock=clock)
        self.retrier = Retrier(
            tries=settings.max_tries,
            seconds=settings.max_wait,
            sleep=self._rest,
            clock=clock,
            on_retry=partial(self.stats.count, retries=1),
        )

    def send(self, call: Call, *, account_id: str | None) -> Reply | GraphFailure:
        """Make one call, once, and return the reply or what is wrong with it. A blocked account is not asked."""
        try:
            self._rest(self._rate_limiter.measure_pause(account_id))
        except Throttled as blocked:
            return GraphFailure(blocked)
        started = time.perf_counter()
        reply = self._transport.send(call)
        milliseconds = (time.perf_counter() - started) * 1000
        logger.debug("%s: %s in %.0f ms, %d calls", call, reply.status or reply.problem, milliseconds, call.weight)
        self.stats.count(http=1, calls=call.weight)
        if reply.date is not None and self.on_date is not None:
            self.on_date(reply.date)
        self._rate_limiter.observe(reply.headers, account_id)
        self._compare_version(reply)
        return self.judge(reply, call, account_id=account_id) or reply

    def judge(self, reply: Reply, call: Call, *, account_id: str | None) -> GraphFailure | None:
        """Say what is wrong with a reply, None for nothing, and close the account's gate where its limit is used up."""
        wrong: GraphFailure | None = None
        if reply.problem:
            wrong = map_transport_problem(reply, call, retry_after=_find_wait(reply))
        elif isinstance(reply.payload, dict) and "error" in reply.payload:
            wrong = map_error(
                reply.payload["error"],
                request=call.request,
                http_status=reply.status,
                asked=str(call),
                retry_after=_find_wait(reply),
                conceal=self._transport.conceal,
            )
        elif call.request.is_listing and not isinstance(reply.payload.get("data"), list):
            broken = replace(
                reply, problem="not_a_list", detail=f"HTTP {reply.status} with JSON without a list of data"
            )
            wrong = map_transport_problem(broken, call, retry_after=_find_wait(reply))
        if wrong and isinstance(wrong.error, Throttled):
            self._rate_limiter.block(account_id, wrong.error.retry_after or 0)
        return wrong

    def observe(self, headers: Mapping[str, str], *, account_id: str | None) -> None:
        """Learn how much of an account's rate limit is used from the headers of one item of a batch."""
        self._rate_limiter.observe(headers, account_id)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._transport.close()

    def _compare_version(self, reply: Reply) -> None:
        if reply.served and reply.served != self._pinned:  # META-31
            self.stats.note(
                f"The connection pins Graph API {self._pinned}, but Meta answered as {reply.served}: the pinned version"
                " has ended or is not out yet. Set api_version in the connection's extras to one that Meta serves."
            )

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)
            self.stats.count(seconds_paused=seconds)


def _find_wait(reply: Reply) -> float | None:
    """Return the seconds to wait that an answer's headers name: the account's minutes first, then Retry-After."""
    minutes = max((usage.minutes for usage in read_usage(reply.headers)), default=0)
    return minutes * 60 if minutes > 0 else read_retry_after(reply.headers)
