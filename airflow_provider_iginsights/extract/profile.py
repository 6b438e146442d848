"""Reads an account's profile: its name, texts and followers as of now. It is requested with the first insights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.fields import list_fields
from airflow_provider_iginsights.catalog.tables import ACCOUNTS
from airflow_provider_iginsights.errors import AccountUnavailable, FatalGraphError, InsightsError, PermissionMissing
from airflow_provider_iginsights.extract.circuit_breaker import AccountCircuitBreaker
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.node_columns import find_node_columns, read_columns
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refused_fields import (
    FieldSearch,
    RefusedFields,
    is_about_fields,
    is_other_node,
)
from airflow_provider_iginsights.extract.rows import Row, TableRow
from airflow_provider_iginsights.extract.unanswered import UnansweredRequest, is_transient
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_object

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

NODE = "profile"


@dataclass(slots=True, kw_only=True)
class ProfileRequest:
    """The request for the profile, as the first item of the first batch of insights (``FirstRequest``), or alone.

    :meth:`take` yields the row once a batch was answered. ``page_id``: the Page through which the account was found,
    None where nobody knows. ``unanswered``: the profile, where a server error kept Meta
    from answering.
    """

    client: GraphClient
    account_id: str
    provenance: Provenance
    left_out_log: LeftOutLog
    refused_fields: RefusedFields
    breaker: AccountCircuitBreaker
    page_id: str | None = None
    unanswered: list[UnansweredRequest] = field(default_factory=list, init=False)
    _row: Row | None = field(default=None, init=False)
    _is_sent: bool = field(default=False, init=False)
    _refusal: InsightsError | None = field(default=None, init=False)

    def build(self) -> GraphRequest:
        """Return the request, which is sent now."""
        self._is_sent = True
        return self._request(self._list_fields())

    def record(self, result: Answer | InsightsError) -> None:
        """Keep the row, or an error that does not concern the insights.

        :raises InsightsError: an error of the account: Meta would answer its insights with the same.
        """
        if isinstance(result, Answer):
            self.breaker.record_success(NODE)
            self._row = self._read(result)
            if self._row is None:
                self.left_out_log.note(self._whom, NODE, "NoData", "Meta was asked for it and said nothing of it.")
        elif is_transient(result):
            error = result.with_traceback(None)
            self.breaker.record_failure(NODE)
            self.unanswered.append(UnansweredRequest(whom=self._whom, what=NODE, error=error, repeat={"profile": True}))
        elif is_about_fields(result):
            # The insights are read first; fetch() then looks for the refused fields.
            self._refusal = result
        elif is_other_node(result):  # META-24: the id of a Page refuses every field of an account.
            raise AccountUnavailable(
                f"The id {self.account_id} is none of an Instagram account. {result.message}", facts=result.facts
            )
        elif type(result) is FatalGraphError:
            # An unknown error of the profile says nothing about the insights.
            self.left_out_log.note_error(self._whom, NODE, result)
        else:
            raise result

    def take(self) -> Iterator[TableRow]:
        """Yield the row of the table ``accounts`` if it has arrived and was not taken yet."""
        row, self._row = self._row, None
        if row is not None:
            yield "accounts", row

    def fetch(self) -> Iterator[TableRow]:
        """Yield the row where it did not come with a batch: no batch was sent, or Meta refused some of the fields.

        :raises InsightsError: the profile is refused for another reason.
        """
        if not self._is_sent:
            self._get()
        search = FieldSearch(fields=self._list_fields(), read_single=self._read_single)
        while self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            if not search.record(refusal):
                if isinstance(refusal, PermissionMissing):
                    raise refusal
                self.left_out_log.note_error(self._whom, NODE, refusal)
                break
            for name, error in search.refused.items():
                self.refused_fields.record_refusal(NODE, [name], error, account_id=self.account_id)
            self._get()
        yield from self.take()

    def _get(self) -> None:
        try:
            self.record(self.client.get(self.build(), account_id=self.account_id))
        except InsightsError as error:
            self.record(error)

    def _read_single(self, names: Sequence[str]) -> Sequence[InsightsError | None]:
        results = self.client.batch(map(self._request, ([name] for name in names)), account_id=self.account_id)
        return [result if isinstance(result, InsightsError) else None for result in results]

    def _list_fields(self) -> list[str]:
        """Return the fields to request, and note those that Meta is known to refuse."""
        refused = self.refused_fields.find(NODE, self.account_id)
        for name, error in refused.items():
            self.left_out_log.note_error(self._whom, name, error)
        return [name for name in list_fields(ACCOUNTS, self.client.settings.api_version) if name not in refused]

    def _request(self, fields: Sequence[str]) -> GraphRequest:
        no_retry = self.breaker.is_open(NODE)
        return GraphRequest(
            self.account_id, {"fields": ",".join(fields)}, Subject("account", self.account_id), no_retry
        )

    @property
    def _whom(self) -> str:
        return f"account {self.account_id}"

    def _read(self, answer: Answer) -> Row | None:
        """Return the row; None where the answer has none of the fields."""
        fields = self._list_fields()
        self.refused_fields.record_answer(NODE, (name for name in fields if name in answer.body))
        fetch_time = self.provenance.read_now()
        note = partial(self.left_out_log.note, self._whom, raw=answer.body)
        profile = read_columns(read_object(answer.body) or {}, find_node_columns(ACCOUNTS, tuple(fields)), note)
        if not profile:
            return None
        return profile | {
            "account_id": self.account_id,
            "snapshot_date": fetch_time.snapshot_date,
            "page_id": self.page_id,
            "connection_id": self.provenance.connection_id,
            "fetched_at": fetch_time.fetched_at,
            "run_id": self.provenance.run_id,
        }
