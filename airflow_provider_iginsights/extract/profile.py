"""An account's profile: who it is and how many follow it, as of now. It travels in the batch of its first insights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.fields import PROFILE_FIELDS, fields_for
from airflow_provider_iginsights.catalog.tables import ACCOUNTS
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.findings import Findings
from airflow_provider_iginsights.extract.nodes import read_columns
from airflow_provider_iginsights.extract.rows import Row, TableRow
from airflow_provider_iginsights.extract.stamp import Stamp
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_object

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.graph.settings import GraphSettings


@dataclass(slots=True, kw_only=True)
class ProfileCourier:
    """Stands where the client stands, and sends the question for the profile along with the first batch.

    Take the row with :meth:`take`, once, as soon as a batch was answered.
    """

    client: GraphClient
    account_id: str
    stamp: Stamp
    findings: Findings
    _row: Row | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)

    @property
    def settings(self) -> GraphSettings:
        """The client's settings."""
        return self.client.settings

    def batch(self, requests: Iterable[GraphRequest], *, account_id: str) -> Iterator[Answer | InsightsError]:
        """Yield the results of :meth:`GraphClient.batch`.

        :raises InsightsError: the profile's own, before the others' results: whom Meta does not show has no insights.
        """
        if self._asked:
            yield from self.client.batch(requests, account_id=account_id)
            return
        self._asked = True
        results = self.client.batch(chain([self._request()], requests), account_id=account_id)
        answer = next(results)
        if isinstance(answer, InsightsError):
            raise answer
        self._row = self._read(answer)
        yield from results

    def take(self) -> Iterator[TableRow]:
        """Yield the row of the table ``accounts`` if it is there and was not taken yet."""
        row, self._row = self._row, None
        if row is not None:
            yield "accounts", row

    def fetch(self) -> Iterator[TableRow]:
        """Yield the row, asked for by itself where there was no batch to send it with."""
        if not self._asked:
            self._asked = True
            self._row = self._read(self.client.get(self._request(), account_id=self.account_id))
        yield from self.take()

    def _request(self) -> GraphRequest:
        fields = ",".join(fields_for(self.settings.api_version, PROFILE_FIELDS))
        return GraphRequest(self.account_id, {"fields": fields}, Subject("account", self.account_id))

    def _read(self, answer: Answer) -> Row:
        reading = self.stamp.read_now()
        tell = partial(self.findings.note, f"account {self.account_id}")
        profile = read_columns(read_object(answer.body) or {}, tuple(PROFILE_FIELDS.items()), ACCOUNTS, tell)
        return profile | {
            "account_id": self.account_id,
            "snapshot_date": reading.snapshot_date,
            "fetched_at": reading.fetched_at,
            "run_id": self.stamp.run_id,
        }
