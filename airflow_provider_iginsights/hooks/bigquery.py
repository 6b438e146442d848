"""Makes the BigQuery client that the loader works with: from an Airflow connection, or from the environment.

``gcp_conn_id`` set: the Google provider's hook, with all that its connections can do. ``gcp_conn_id=None``: the
application default credentials of the machine, for which the Google provider need not be installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.errors import ConfigurationError, GoogleProviderMissing, InsightsError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.bigquery import Client

EMULATOR_VARIABLE = "BIGQUERY_EMULATOR_HOST"
FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_KINDS = (
    ("google.oauth2.service_account", "a key of a service account"),
    ("google.auth.impersonated_credentials", "a service account that is impersonated"),
    ("google.auth.compute_engine", "the service account of this machine"),
    ("google.oauth2.credentials", "the login of a person"),
    ("google.auth.external_account", "an identity of another provider (workload identity federation)"),
    ("google.auth.credentials", "none, since an emulator is asked"),
)
"""What the credentials of a module of google-auth are."""
_FIELDS = (
    "Keyfile JSON takes the JSON text of a service account's key, Keyfile Path the path of a file that the worker can "
    "read; fill in one of them."
)
# apache/airflow#60146 brought it, #61654 and #72799 mended it.
_ASKS_FOR_PROJECT = "key_secret_project_id"
_PROJECT = (
    "Of a key in a secret, fill in the secret's project. Without a secret, this is a fault of Airflow's Google "
    "provider from 19.4 to 22.5, which wants a project of the credentials although the connection names one: upgrade "
    "apache-airflow-providers-google to 22.6 or newer. Where the credentials are the machine's own, it is enough to "
    "set GOOGLE_CLOUD_PROJECT where the tasks run."
)
_FILE = (
    "It takes the path of a JSON file, of a key or a login, that the worker can read. Correct it, or name a connection "
    "(operators: gcp_conn_id; commands: --gcp-conn-id)."
)
_ACCESSOR = "Secret Manager Secret Accessor (roles/secretmanager.secretAccessor) on the secret of the key"
_LONGEST = 500
_WITHOUT_CONNECTION = (
    "To use the application default credentials of the machine instead, name no connection (operators: "
    "gcp_conn_id=None; commands: leave out --gcp-conn-id)."
)


def get_bigquery_client(
    *,
    gcp_conn_id: str | None,
    impersonation_chain: str | Sequence[str] | None = None,
    project_id: str | None = None,
    location: str | None = None,
) -> Client:
    """Return a client for one project; nothing is sent yet.

    :param gcp_conn_id: Google Cloud connection; None = application default credentials.
    :param impersonation_chain: service account to act as, or several: the last is the one to act as, each of the others
        may create tokens for the next. A list, a comma string, or the text of a list (Python's or JSON).
    :param project_id: project that holds the dataset and pays; None = the connection's or the credentials' own.
    :param location: such as ``EU``; None = BigQuery finds it by the dataset.
    :raises ConfigurationError: no such connection, no credentials, or no project.
    """
    if gcp_conn_id is None:
        return _client_from_environment(impersonation_chain, project_id, location)
    return _client_from_connection(gcp_conn_id, impersonation_chain, project_id, location)


def describe_credentials(client: Client, *, gcp_conn_id: str | None) -> str:
    """Return in a sentence where a client has its credentials from, of which kind they are, and whose as far as known.

    :param gcp_conn_id: as it was given to :func:`get_bigquery_client`.
    """
    # The client has no public name for them, and the Google provider makes them anew each time it is asked.
    credentials = getattr(client, "_credentials", None)
    module = type(credentials).__module__
    kind = next((text for name, text in _KINDS if module.startswith(name)), f"of the kind {module}")
    names = ("service_account_email", "account")
    whose = next((name for name in (getattr(credentials, each, None) for each in names) if isinstance(name, str)), "")
    source = f"the connection {gcp_conn_id}" if gcp_conn_id else "the application default credentials"
    return f"From {source}: {kind}{f', {whose}' if whose else ''}."


def _client_from_connection(
    gcp_conn_id: str, impersonation_chain: str | Sequence[str] | None, project_id: str | None, location: str | None
) -> Client:
    from airflow_provider_iginsights._compat import AirflowNotFoundException

    try:
        from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
    except ImportError as error:
        raise GoogleProviderMissing(
            f"The connection {gcp_conn_id!r} (gcp_conn_id) needs Airflow's Google provider, which cannot be imported "
            f"({error}). Install it with `pip install 'airflow-provider-iginsights[google]'`. {_WITHOUT_CONNECTION}"
        ) from error
    try:
        chain = _split_chain(impersonation_chain) or None
        hook = BigQueryHook(gcp_conn_id=gcp_conn_id, impersonation_chain=chain, location=location, use_legacy_sql=False)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"Airflow knows no connection {gcp_conn_id!r} (gcp_conn_id). Create it with the type Google Cloud. "
            f"{_WITHOUT_CONNECTION}"
        ) from error
    source = f"the connection {gcp_conn_id!r}"
    with _reading_credentials(f"{source} (gcp_conn_id)", remedy=_FIELDS):
        # Always by name: a connection that is anonymous has no project of its own, and get_client() would look for one.
        project = _require_project(project_id or hook.project_id, source=source)
        return hook.get_client(project_id=project, location=location)


def _client_from_environment(
    impersonation_chain: str | Sequence[str] | None, project_id: str | None, location: str | None
) -> Client:
    from google.api_core.client_info import ClientInfo
    from google.cloud.bigquery import Client

    credentials, own_project = _find_credentials()
    chain = _split_chain(impersonation_chain)
    return Client(
        project=_require_project(project_id or own_project, source="the application default credentials"),
        credentials=_impersonate(credentials, chain) if chain else credentials,
        location=location,
        client_info=ClientInfo(user_agent=f"airflow-provider-iginsights/{__version__}"),
    )


def _find_credentials() -> tuple[Credentials, str | None]:
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError

    emulator = os.environ.get(EMULATOR_VARIABLE, "")
    anonymous = AnonymousCredentials(), os.environ.get("GOOGLE_CLOUD_PROJECT")
    if emulator.startswith("http://"):
        # A Google token must not travel in clear, and looking for one asks the metadata server, for seconds.
        return anonymous
    with _reading_credentials(f"The variable {FILE_VARIABLE}", remedy=_FILE):
        try:
            credentials, project = google.auth.default(scopes=SCOPES)
        except DefaultCredentialsError as error:
            if emulator:
                return anonymous
            if os.environ.get(FILE_VARIABLE):
                raise
            raise ConfigurationError(
                "No Google Cloud connection is named, and the machine has no application default credentials. Set "
                f"{FILE_VARIABLE} there, or run `gcloud auth application-default login`, or name a "
                "connection (operators: gcp_conn_id; commands: --gcp-conn-id)."
            ) from error
    return credentials, project


@contextmanager
def _reading_credentials(source: str, *, remedy: str) -> Iterator[None]:
    """Raise what google-auth and Airflow's Google provider say about credentials in words.

    :raises ConfigurationError: they cannot be read.
    :raises LoadError: a server of Google that was asked for them refused, or gave no answer.
    """
    try:
        yield
    except InsightsError:
        raise
    except Exception as error:
        from google.auth.exceptions import DefaultCredentialsError

        from airflow_provider_iginsights.bigquery import error_mapping

        if error_mapping.speaks_of_bigquery(error) and not isinstance(error, DefaultCredentialsError):
            doing = f"get credentials from {source}"
            raise error_mapping.load_error(error, doing=doing, role=_ACCESSOR) from error
        what_to_do = _PROJECT if _ASKS_FOR_PROJECT in str(error) else remedy
        # No cause: its text can be a key that was pasted where its path was meant.
        raise ConfigurationError(
            f"{source[0].upper()}{source[1:]} gives no Google Cloud credentials: {_describe(error)}. {what_to_do}"
        ) from None


def _describe(error: Exception) -> str:
    """Return what was wrong, without what may be a key."""
    if isinstance(error, KeyError):
        return f"the key lacks {error}"
    # google-auth puts what it caught beside its own text; Python would print both as a tuple.
    said = [_read_text(each) for each in error.args]
    text = ": ".join(said) if len(said) > 1 and all(said) else str(error)
    text = " ".join(text.split()).rstrip(".")
    is_shown = text and len(text) <= _LONGEST and not any(mark in text for mark in ("{", "PRIVATE KEY"))
    return f"{text} ({type(error).__name__})" if is_shown else type(error).__name__


def _read_text(argument: object) -> str:
    """Return the text that an argument of an error is or has, without what stands beside it; ``""`` for others."""
    if isinstance(argument, Exception):
        return _read_text(argument.args[0]) if argument.args else ""
    return argument if isinstance(argument, str) else ""


def _split_chain(impersonation_chain: str | Sequence[str] | None) -> list[str]:
    """Return the accounts of a list, a comma string, or the text of a list, which a template renders."""
    from airflow_provider_iginsights.task.arguments import parse_names

    return list(parse_names(impersonation_chain, argument="impersonation_chain") or ())


def _impersonate(source: Credentials, chain: list[str]) -> Credentials:
    from google.auth import impersonated_credentials
    from google.auth.credentials import AnonymousCredentials

    if isinstance(source, AnonymousCredentials):
        return source
    # google-auth: the target is the last account, the delegates are those before it, each of which may impersonate
    # the next.
    return impersonated_credentials.Credentials(
        source_credentials=source, target_principal=chain[-1], delegates=chain[:-1], target_scopes=list(SCOPES)
    )


def _require_project(project: str | None, *, source: str) -> str:
    if not project:
        raise ConfigurationError(
            f"No Google Cloud project is known: none comes from {source}. "
            "Name the project that holds the dataset (operators: project_id; commands: --project)."
        )
    return project
