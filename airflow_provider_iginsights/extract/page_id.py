"""The most common wrong id: that of a Facebook Page. The account that is linked to the Page is named in the error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import AccountUnavailable, InsightsError
from airflow_provider_iginsights.extract.open_questions import Again
from airflow_provider_iginsights.extract.rows import TableRow
from airflow_provider_iginsights.graph.request import GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_id, read_object

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

Read = Callable[..., Iterator[TableRow]]

PAGE = "node type (Page)"
"""How Meta names, in every language, what has none of an account's fields."""


def explain_page_ids(client: GraphClient, read: Read) -> Read:
    """Return a reader of accounts that names, where an id is a Page's, the account that is linked to it.

    It costs one request for such an id, and none for others.
    """

    def read_account(account_id: str, *open_questions: Sequence[Again]) -> Iterator[TableRow]:
        try:
            yield from read(account_id, *open_questions)
        except AccountUnavailable as error:
            if PAGE not in error.facts.said:
                raise
            raise AccountUnavailable(_explain(client, account_id), facts=error.facts) from error

    return read_account


def _explain(client: GraphClient, page_id: str) -> str:
    try:
        linked = _find_linked_account(client, page_id)
    except InsightsError:
        linked = None
    if linked is None:
        return (
            f"{page_id} is the id of a Page, and no Instagram account that the token sees is linked to it. "
            "Link a professional account to the Page, or give the account's own id in account_ids."
        )
    return f"{page_id} is the id of a Page; its Instagram account is {linked}. Give that id in account_ids."


def _find_linked_account(client: GraphClient, page_id: str) -> str | None:
    subject = Subject("account", page_id)
    answer = client.get(GraphRequest(page_id, {"fields": "instagram_business_account"}, subject), account_id=page_id)
    account = read_object(answer.body.get("instagram_business_account")) or {}
    return read_id(account.get("id"))
