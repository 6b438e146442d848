"""Google Cloud connections of Airflow with a key of a service account, and the server that gives tokens for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tests.support.json_server import serve_json

TOKEN = {"access_token": "ya29.for-tests", "expires_in": 3600, "token_type": "Bearer"}


@contextmanager
def open_google_connection(**extra: object) -> Iterator[str]:
    """Yield the JSON text of a connection, for ``AIRFLOW_CONN_…``; every Google provider reads such a one.

    :param extra: further fields, such as ``project``.
    """
    with serve_json(TOKEN, posts=[]) as address:
        key = {
            "type": "service_account",
            "private_key_id": "1",
            "private_key": _make_private_key(),
            "client_email": "loader@p.iam.gserviceaccount.com",
            "token_uri": f"{address}/token",
        }
        fields = {"keyfile_dict": json.dumps(key), **extra}
        yield json.dumps({"conn_type": "google_cloud_platform", "extra": fields})


@cache
def _make_private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
