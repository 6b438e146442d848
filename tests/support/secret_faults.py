"""What can go wrong while :mod:`.secret_watch` looks for secrets, and the secrets, which Meta may quote back."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import (
    SHAPES,
    DropAfterHeaders,
    DropConnection,
    Edit,
    ErrorEffect,
    GraphFault,
    HtmlBody,
    NullItem,
    ServedVersion,
    TruncatedBody,
    appsecret_proof,
)
from tests.support.sandboxes import Sandboxes

# Like no token of Meta's, so that nothing but its value gives it away; with what URLs and JSON write in another way.
TOKEN = "c0ffee|under/no+known=shape"
VARIABLE = "brand_access_token"
SECRET, VERIFY, SALT = "a5ecret/0f+th3|4pq", "verify+this|word", "dGhlIHNhbHQgb2YgdGhlIGJyYW5k"
PASSWORD = "EAAGtheConnectionsOwn0"
EVERYTHING = {
    "token of the Variable": TOKEN,
    "password of the connection": PASSWORD,
    "app secret": SECRET,
    "proof": appsecret_proof(TOKEN, SECRET),
    "proof of the password": appsecret_proof(PASSWORD, SECRET),
    "verify token": VERIFY,
    "salt": SALT,
}
QUOTING = f"Malformed access token {TOKEN} {PASSWORD} {SECRET} {EVERYTHING['proof']} access_token={TOKEN}"

ENCODED = " ".join(
    f"{base64.b64encode(f'app:{each}@host'.encode()).decode()} {each.encode().hex()} {quote(quote(each, safe=''))}"
    for each in (TOKEN, SECRET, EVERYTHING["proof"])
)
"""What is known by its value, in encodings of other encodings."""


def fault(effect: Any, **where: Any) -> Callable[[Sandboxes], None]:
    """Return what lets this happen to each answer of the Graph API."""
    return lambda sandboxes: sandboxes.graph.faults.add(GraphFault(effect=effect, times=None, **where))


def deny_jobs(sandboxes: Sandboxes) -> None:
    """Let BigQuery refuse each job."""
    sandboxes.bigquery.faults.add(BigQueryFault("POST /bigquery/.*/jobs$", "accessDenied", times=None))


FAULTS: dict[str, Callable[[Sandboxes], None]] = {
    "nothing": lambda _: None,
    **{f"quoted, code {code}": fault(ErrorEffect(code, message=QUOTING)) for code in (1, 4, 10, 100, 190, 368, 99999)},
    "quoted, encoded": fault(ErrorEffect(100, message=ENCODED)),
    "quoted by one post": fault(ErrorEffect(100, 33, message=QUOTING), object_id="17800000010000000"),
    "quoted by one metric": fault(ErrorEffect(100, message=QUOTING), metric="saved"),
    "quoted as a value": fault(Edit("value", lambda _: {"odd": QUOTING, "list": [TOKEN]})),
    "quoted as an end_time": fault(Edit("end_time", lambda _: QUOTING)),
    "quoted as an id": fault(Edit("id", lambda _: QUOTING), path="media"),
    "no JSON": fault(HtmlBody(502)),
    "dropped": fault(DropConnection()),
    "no body": fault(DropAfterHeaders()),
    "cut": fault(TruncatedBody()),
    "no item": fault(NullItem()),
    "another version": fault(ServedVersion("v26.0")),
    **{name: fault(shape.effect, path=shape.path) for name, shape in SHAPES.items()},
    "no job": deny_jobs,
}
"""What can go wrong: each odd answer that the sandbox plays, secrets that Meta quotes back, a broken network."""
