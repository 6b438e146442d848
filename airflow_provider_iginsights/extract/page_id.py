"""Explains ids of the wrong type. For the id of a Facebook Page, the error names the Instagram account of the Page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import AccountUnavailable, InsightsError
from airflow_provider_iginsights.extract.rows import TableRow
from airflow_provider_iginsights.extract.unanswered import RepeatParameters
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_id, read_object

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

ReadAccount = Callable[..., Iterator[TableRow]]

_NODE_TYPE = re.compile(r"\bnode type \((?P<kind>\w+)\)")  # META-24: Meta does not translate this part.
PAGE_TYPE = "Page"


def explain_page_ids(client: GraphClient, read: ReadAccount) -> ReadAccount:
    """Return a reader of accounts whose error names the type of a wrong id. For a Page, this costs one request."""

    def read_account(account_id: str, *unanswered: Sequence[RepeatParameters]) -> Iterator[TableRow]:
        try:
            yield from read(account_id, *unanswered)
        except AccountUnavailable as error:
            message = explain_wrong_id(client, account_id, error)
            if message is None:
                raise
            raise AccountUnavailable(message, facts=error.facts) from error

    return read_account


def explain_wrong_id(client: GraphClient, account_id: str, error: InsightsError) -> str | None:
    """Return an explanation of a wrong id, as sentences; None where the refusal is not about the type of the id.

    For a Page, this costs one request.
    """
    found = _NODE_TYPE.search(error.facts.said) if isinstance(error, AccountUnavailable) else None
    if found is None:
        return None
    return _explain_page(client, account_id) if found["kind"] == PAGE_TYPE else _explain_type(account_id, found["kind"])


def _explain_type(wrong_id: str, kind: str) -> str:
    return (
        f"{wrong_id} is the id of an object of the type {kind}, not of an Instagram professional account. "
        "Give the account's id, or its username with an @, in account_ids."
    )


def _explain_page(client: GraphClient, page_id: str) -> str:
    try:
        linked = _find_linked_account(client, page_id)
    except InsightsError:
        # The explanation is an addition: an error here must not replace the first one.
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
