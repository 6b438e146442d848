"""A batch: up to 50 calls in one POST, answered in order, each with a status, headers and a body of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_iginsights.sandbox.graph.api import GraphAnswer, GraphAPI, HttpRequest
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.effects import Effect, NullItem
from airflow_provider_iginsights.sandbox.graph.errors import fail

__all__ = ["MAX_ITEMS", "BatchEnvelope", "answer_batch", "read_batch"]

# "Batch requests", limits.
MAX_ITEMS = 50


@dataclass(frozen=True, slots=True)
class BatchEnvelope:
    """The items of a batch as sent."""

    items: tuple[Mapping[str, Any], ...]
    include_headers: bool


def read_batch(form: Mapping[str, str]) -> BatchEnvelope:
    """Read the form of a batch request. Raises Meta's errors for a bad form and for more than 50 items."""
    try:
        items = json.loads(form["batch"])
    except json.JSONDecodeError:
        raise fail("bad_batch") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise fail("bad_batch")
    if len(items) > MAX_ITEMS:
        raise fail("batch_size")
    return BatchEnvelope(tuple(items), form.get("include_headers", "true").lower() not in ("false", "0"))


def answer_batch(api: GraphAPI, envelope: HttpRequest, form: Mapping[str, str]) -> GraphAnswer:
    """Answer a batch: 200 with a list, whatever becomes of the items. The token comes in the form or the query.

    What happens to an item's connection happens to the envelope's.
    """

    def work(call: GraphCall) -> list[dict[str, Any] | None]:
        batch = read_batch(form)
        return [_answer_item(api, envelope, item, call.effects, batch) for item in batch.items]

    return api.answer(envelope, work)


def _answer_item(
    api: GraphAPI, envelope: HttpRequest, item: Mapping[str, Any], effects: list[Effect], batch: BatchEnvelope
) -> dict[str, Any] | None:
    address = urlsplit(str(item.get("relative_url", "")))
    params = dict(_read_query(address.query))
    own_token = params.pop("access_token", None) or item.get("access_token")
    # The proof of the envelope belongs to its token: an item with a token of its own needs its own proof.
    if not own_token and "appsecret_proof" in envelope.params:
        params.setdefault("appsecret_proof", envelope.params["appsecret_proof"])
    answer = api.answer(
        HttpRequest(
            method=str(item.get("method", "GET")).upper(),
            path="/" + address.path.strip("/"),
            params=params,
            token=own_token or envelope.token,
            login=envelope.login,
            root=envelope.root,
        )
    )
    if any(isinstance(effect, NullItem) for effect in answer.effects):
        # META-26: an item that timed out is null in its place.
        return None
    effects += answer.effects
    result: dict[str, Any] = {"code": answer.status}
    if batch.include_headers:
        headers = {"Content-Type": "text/javascript; charset=UTF-8", **answer.headers}
        result["headers"] = [{"name": name, "value": value} for name, value in headers.items()]
    # A body is JSON inside JSON ("Batch requests").
    return {**result, "body": json.dumps(answer.body)}


@lru_cache(maxsize=1024)
def _read_query(query: str) -> tuple[tuple[str, str], ...]:
    """Return the parameters: many batches ask the same of different accounts."""
    return tuple(parse_qsl(query, keep_blank_values=True))
