"""A Graph API on a loopback socket that answers from a cassette."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from airflow_provider_iginsights.cassettes.exchange import (
    RecordedAnswer,
    RecordedExchange,
    RecordedRequest,
    is_version_segment,
    split_relative_url,
)
from airflow_provider_iginsights.cassettes.json_bodies import format_content
from airflow_provider_iginsights.cassettes.player import CassettePlayer
from airflow_provider_iginsights.cassettes.request_words import replace_params
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, cut_connection, receive_body

INSTAGRAM_PATH: Final = "graph.instagram.com"
"""The first segment of the path under which graph.instagram.com is played, as the sandbox does it."""

_TOO_LARGE: Final = 33 * 1024 * 1024
"""Bytes of an answer that is larger than the client takes."""


class CassetteApplication:
    """The ASGI application."""

    def __init__(self, player: CassettePlayer) -> None:
        self._player = player

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        form = dict(parse_qsl((await receive_body(receive)).decode(), keep_blank_values=True))
        login, path = _read_path(scope["path"])
        if "batch" in form:
            addresses = [split_relative_url(item["relative_url"]) for item in json.loads(form["batch"])]
            found = self._player.answer_batch([_make_request(login, *address) for address in addresses])
            answer, body = _format_batch(found)
        else:
            query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            answer = self._player.answer(_make_request(login, path, query))
            body = format_content(answer.content)
        await _send(scope, send, answer, body)


def _read_path(path: str) -> tuple[str, str]:
    segments = [segment for segment in path.split("/") if segment]
    login = "instagram" if segments[:1] == [INSTAGRAM_PATH] else "facebook"
    rest = segments[login == "instagram" :]
    return login, "/".join(rest[1:] if rest and is_version_segment(rest[0]) else rest)


def _make_request(login: str, path: str, query: Mapping[str, str]) -> RecordedRequest:
    # A run that is played names what it asks for by pseudonyms.
    return RecordedRequest.make(login, path, replace_params(query, _keep))


def _keep(_: str, value: str) -> str:
    return value


def _format_batch(found: RecordedExchange | list[RecordedAnswer | None]) -> tuple[RecordedAnswer, str]:
    if isinstance(found, RecordedExchange):
        if found.items is None:
            return found.answer, format_content(found.answer.content)
        return found.answer, format_items(found.items)
    return RecordedAnswer(status=200), format_items(found)


def format_items(answers: Sequence[RecordedAnswer | None]) -> str:
    """Return the body of a batch's answer."""
    return f"[{', '.join(map(_format_item, answers))}]"


def _format_item(answer: RecordedAnswer | None) -> str:
    if answer is not None and answer.problem == "no_item":
        return format_content(answer.content)
    if answer is None or answer.status is None:
        return "null"
    headers = [{"name": name, "value": value} for name, value in answer.headers.items()]
    return json.dumps({"code": answer.status, "headers": headers, "body": format_content(answer.content)})


async def _send(scope: Scope, send: Send, answer: RecordedAnswer, text: str) -> None:
    if answer.problem in ("no_answer", "timed_out", "no_item"):
        await cut_connection(scope)
        return
    headers = {"content-type": "application/json; charset=UTF-8", **answer.headers}
    if answer.problem == "too_large":
        # Blanks may follow any JSON, and they compress well.
        body = gzip.compress(b"[]" + b" " * _TOO_LARGE, compresslevel=1)
        headers["content-encoding"] = "gzip"
    elif answer.problem == "cut":
        body = b"[]"
    else:
        body = text.encode("utf-8", "surrogateescape")
    length = len(body) + (answer.problem == "cut")
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    raw.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": answer.status or 200, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": length > len(body)})
    if length > len(body):
        await cut_connection(scope, flush=True)
