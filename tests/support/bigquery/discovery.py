"""Google's own description of BigQuery's REST API, its discovery document, against requests and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Discovery", "Exchange", "read_discovery"]

_PREFIX = re.compile(r".*?/bigquery/v2/")
# google-cloud-bigquery sends it with each jobs.get; the document does not name it.
_UNDOCUMENTED = {"projection"}
_KINDS: Mapping[str, tuple[Any, ...]] = {
    "object": (dict,),
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer: bodies are what was read from JSON, None where there is none."""

    method: str
    url: str
    body: Any
    status: int
    answer: Any


def read_discovery() -> Discovery:
    """Return the document that comes with google-api-python-client. Raises ImportError without that package."""
    from googleapiclient import discovery_cache

    path = Path(discovery_cache.__file__).with_name("documents") / "bigquery.v2.json"
    return Discovery(json.loads(path.read_text(encoding="utf-8")))


class Discovery:
    """The document: which methods there are, and what they take and answer."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Keep the document."""
        self._document = document

    def find_faults(self, exchange: Exchange) -> Iterator[str]:
        """Yield what the document does not know about a request, or about an answer that is no error."""
        path = _PREFIX.sub("", unquote(urlsplit(exchange.url).path))
        fitting = (each for verb, form, each in self._methods if verb == exchange.method and form.match(path))
        method = next(fitting, None)
        if method is None:
            yield f"{exchange.method} {path}: no such method"
            return
        known = {*method.get("parameters", ()), *self._document["parameters"], *_UNDOCUMENTED}
        given = parse_qs(urlsplit(exchange.url).query)
        yield from (f"{method['id']}: no parameter {name}" for name in given if name not in known)
        if exchange.body is not None and "request" in method:
            yield from self._compare(exchange.body, method["request"], f"{method['id']} <-", is_request=True)
        if exchange.status < 300 and exchange.answer is not None and "response" in method:
            yield from self._compare(exchange.answer, method["response"], f"{method['id']} ->", is_request=False)

    @cached_property
    def _methods(self) -> list[tuple[str, re.Pattern[str], Mapping[str, Any]]]:
        methods = [each for group in self._document["resources"].values() for each in group["methods"].values()]
        return [(each["httpMethod"], _as_pattern(each["path"]), each) for each in methods]

    def _compare(self, value: Any, schema: Mapping[str, Any], where: str, *, is_request: bool) -> Iterator[str]:
        schema = self._document["schemas"][schema["$ref"]] if "$ref" in schema else schema
        kind = schema.get("type", "any")
        # A 64-bit number is a text in JSON; of a request, Google takes a number, too.
        kinds = _KINDS.get(kind, (object,)) + ((int,) if is_request and schema.get("format") == "int64" else ())
        if value is None:
            return
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and kind != "any"):
            yield f"{where}: {value!r} is no {kind}"
        elif kind == "object":
            for name, each in value.items():
                inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if inner is None:
                    yield f"{where}: no field {name}"
                else:
                    yield from self._compare(each, inner, f"{where}.{name}", is_request=is_request)
        elif kind == "array":
            for each in value:
                yield from self._compare(each, schema["items"], f"{where}[]", is_request=is_request)
        elif value not in schema.get("enum", (value,)):
            yield f"{where}: {value!r} is none of {schema['enum']}"


def _as_pattern(path: str) -> re.Pattern[str]:
    """Return projects/{+projectId}/datasets as a pattern of such paths."""
    parts = re.split(r"(\{.*?\})", path)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts) + "$")
