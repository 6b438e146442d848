"""Writes one object to Google Cloud Storage, with the Google provider's hook."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_provider_iginsights.errors import ConfigurationError, GoogleProviderMissing
from airflow_provider_iginsights.quoting import quote_value

SCHEME = "gs://"
_ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/([^\r\n]{0,1023}[^\r\n/])")


def write_object(
    address: str, content: bytes, *, mime_type: str, gcp_conn_id: str | None, impersonation_chain: Sequence[str] | None
) -> None:
    """Write an object; Google shows it whole or not at all.

    :param address: ``gs://bucket/name``.
    :raises ConfigurationError: the address names no object, or no connection is named.
    :raises GoogleProviderMissing: Airflow's Google provider is not installed.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigurationError(f"{quote_value(address)} names no object. It has the form gs://bucket/name.")
    if gcp_conn_id is None:
        raise ConfigurationError(
            f"To write {quote_value(address)}, name a Google Cloud connection (operators: gcp_conn_id; commands: "
            "--gcp-conn-id)."
        )
    try:
        from airflow.providers.google.cloud.hooks.gcs import GCSHook
    except ImportError as error:
        raise GoogleProviderMissing(
            f"To write {quote_value(address)}, Airflow's Google provider is needed, but cannot be imported ({error}). "
            "Install it with `pip install 'airflow-provider-iginsights[google]'`, or write to a path of this machine."
        ) from error
    hook = GCSHook(gcp_conn_id=gcp_conn_id, impersonation_chain=impersonation_chain)
    hook.upload(bucket_name=found[1], object_name=found[2], data=content, mime_type=mime_type)
