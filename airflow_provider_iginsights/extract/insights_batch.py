"""Up to 50 requests for insights of one account that are sent together, at once or ahead by another thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from airflow_provider_iginsights.errors import BrokenResponse, InsightsError
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.unanswered import is_transient

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.ahead import SentAhead
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.graph.messages import Answer, GraphRequest

    Results = Iterator[Answer | InsightsError]


class FirstRequest(Protocol):
    """A request of another kind that is sent once, as the first item of the first batch."""

    def build(self) -> GraphRequest:
        """Return the request; it is sent now."""

    def record(self, result: Answer | InsightsError) -> None:
        """Take its result.

        :raises InsightsError: the result concerns the insights as well.
        """


@dataclass(slots=True, kw_only=True)
class InsightsBatch:
    """One batch. Read it once, or abandon it.

    :param graph_requests: those of the requests, after that of ``first`` if there is one.
    :param failure: the error of the whole batch, after it was read.
    """

    client: GraphClient
    account_id: str
    requests: Sequence[InsightsRequest]
    graph_requests: Sequence[GraphRequest]
    first: FirstRequest | None = None
    failure: InsightsError | None = field(default=None, init=False)
    _ahead: SentAhead[Results] | None = field(default=None, init=False)

    def start(self) -> bool:
        """Send the batch now, from another thread; return whether that was done. Near a rate limit it is not."""
        self._ahead = self.client.start_batch(self.graph_requests, account_id=self.account_id)
        return self._ahead is not None

    def abandon(self) -> None:
        """Wait for the end of what another thread sends; the answers are not used."""
        if self._ahead:
            self._ahead.abandon()

    def read(self) -> Iterator[tuple[InsightsRequest, Answer | InsightsError]]:
        """Yield one result per request. The error of a whole batch is the result of each request without an answer.

        :raises InsightsError: an error of the whole batch that is no server error.
        """
        results = (
            self._ahead.read() if self._ahead else self.client.batch(self.graph_requests, account_id=self.account_id)
        )
        self.failure = _record_first(self.first, results) if self.first else None
        for request in self.requests:
            result: Answer | InsightsError
            try:
                result = self.failure or next(results)
            except StopIteration:
                result = self.failure = BrokenResponse(
                    f"Meta answered fewer requests of a batch about account {self.account_id} than were sent."
                )
            except InsightsError as error:
                if not is_transient(error):
                    raise
                result = self.failure = error
            yield request, result


def _record_first(first: FirstRequest, results: Iterator[Answer | InsightsError]) -> InsightsError | None:
    """Pass on the first result; return the error of the whole batch, if there is one and it is transient."""
    try:
        result = next(results)
    except InsightsError as error:
        first.record(error)
        if not is_transient(error):
            raise
        return error
    first.record(result)
    return None
