"""An account's profile: who it is and how many follow it, as of now. It travels in the batch of its first insights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.fields import list_fields
from airflow_provider_iginsights.catalog.tables import ACCOUNTS
from airflow_provider_iginsights.errors import AccountUnavailable, FatalGraphError, InsightsError, PermissionMissing
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.nodes import read_columns
from airflow_provider_iginsights.extract.open_questions import AccountExhaustedRetries, OpenQuestion, is_trouble
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refused_fields import (
    FieldSearch,
    RefusedFields,
    is_about_fields,
    is_other_node,
)
from airflow_provider_iginsights.extract.rows import Row, TableRow
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_object

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.graph.settings import GraphSettings

NODE = "profile"


@dataclass(slots=True, kw_only=True)
class ProfileRequest:
    """Stands where the client stands, and sends the question for the profile along with the first batch.

    Take the row with :meth:`take`, once, as soon as a batch was answered. ``questions``: the profile, where trouble at
    Meta left it open.
    """

    client: GraphClient
    account_id: str
    provenance: Provenance
    left_out_log: LeftOutLog
    fields: RefusedFields
    troubles: AccountExhaustedRetries
    questions: list[OpenQuestion] = field(default_factory=list, init=False)
    _row: Row | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)
    _refusal: InsightsError | None = field(default=None, init=False)

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
        results = self.client.batch(chain([self._request(self._list_fields())], requests), account_id=account_id)
        try:
            first = next(results)
        except InsightsError as error:
            self._take(error)  # the whole batch's, and so the insights' as well
            raise
        self._take(first)
        yield from results

    def take(self) -> Iterator[TableRow]:
        """Yield the row of the table ``accounts`` if it is there and was not taken yet."""
        row, self._row = self._row, None
        if row is not None:
            yield "accounts", row

    def fetch(self) -> Iterator[TableRow]:
        """Yield the row where it did not come with a batch: there was none, or some of its fields were refused.

        :raises InsightsError: the profile is refused for another reason.
        """
        if not self._asked:
            self._asked = True
            self._get()
        search = FieldSearch(fields=self._list_fields(), ask_alone=self._ask_alone)
        while self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            if not search.take(refusal):
                if isinstance(refusal, PermissionMissing):
                    raise refusal
                self.left_out_log.note_error(self._whom, NODE, refusal)
                break
            for name, error in search.refused.items():
                self.fields.learn_refusal(NODE, [name], error, account_id=self.account_id)
            self._get()
        yield from self.take()

    def _get(self) -> None:
        try:
            self._take(self.client.get(self._request(self._list_fields()), account_id=self.account_id))
        except InsightsError as error:
            self._take(error)

    def _take(self, result: Answer | InsightsError) -> None:
        """Keep the row, or what stands in its way if that is none of the insights' business.

        :raises InsightsError: it is the account's.
        """
        if isinstance(result, Answer):
            self.troubles.forget(NODE)
            self._row = self._read(result)
            if self._row is None:
                self.left_out_log.note(self._whom, NODE, "NoData", "Meta was asked for it and said nothing of it.")
        elif is_trouble(result):
            error = result.with_traceback(None)
            self.troubles.exhaust(NODE)
            self.questions.append(OpenQuestion(whom=self._whom, what=NODE, error=error, again={"profile": True}))
        elif is_about_fields(result):
            self._refusal = result
        elif is_other_node(result):
            raise AccountUnavailable(
                f"The id {self.account_id} is none of an Instagram account. {result.message}", facts=result.facts
            )
        elif type(result) is FatalGraphError:
            self.left_out_log.note_error(self._whom, NODE, result)
        else:
            raise result

    def _ask_alone(self, names: Sequence[str]) -> Sequence[InsightsError | None]:
        results = self.client.batch(map(self._request, ([name] for name in names)), account_id=self.account_id)
        return [result if isinstance(result, InsightsError) else None for result in results]

    def _list_fields(self) -> list[str]:
        """Return the fields to ask for, and note those that are known to be refused."""
        refused = self.fields.find(NODE, self.account_id)
        for name, error in refused.items():
            self.left_out_log.note_error(self._whom, name, error)
        return [name for name in list_fields(ACCOUNTS, self.settings.api_version) if name not in refused]

    def _request(self, fields: Sequence[str]) -> GraphRequest:
        once = self.troubles.last(NODE)
        return GraphRequest(self.account_id, {"fields": ",".join(fields)}, Subject("account", self.account_id), once)

    @property
    def _whom(self) -> str:
        return f"account {self.account_id}"

    def _read(self, answer: Answer) -> Row | None:
        """Return the row; None where the answer holds none of the fields."""
        fields = self._list_fields()
        self.fields.learn_answer(NODE, (name for name in fields if name in answer.body))
        reading = self.provenance.read_now()
        tell = partial(self.left_out_log.note, self._whom)
        profile = read_columns(read_object(answer.body) or {}, tuple(fields), ACCOUNTS, tell)
        if not profile:
            return None
        return profile | {
            "account_id": self.account_id,
            "snapshot_date": reading.snapshot_date,
            "fetched_at": reading.fetched_at,
            "run_id": self.provenance.run_id,
        }
