"""The BigQuery client: from a connection by the Google provider, or from the machine's own credentials."""

from __future__ import annotations

import base64
import importlib.util
import inspect
import json
import traceback
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest
from google.auth import compute_engine
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.impersonated_credentials import Credentials as ImpersonatedCredentials
from google.cloud.bigquery import Client, Dataset
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account
from packaging.version import Version

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.hooks.bigquery import (
    GoogleProviderMissing,
    describe_credentials,
    get_bigquery_client,
)
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from tests.support.google_keys import open_google_connection


def has_google_provider() -> bool:
    """Return whether the optional Google provider is installed."""
    return importlib.util.find_spec("airflow.providers.google") is not None


with_provider = pytest.mark.skipif(not has_google_provider(), reason="needs apache-airflow-providers-google")
without_provider = pytest.mark.skipif(has_google_provider(), reason="the Google provider is installed")


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """Take every Google setting of the machine away, and the metadata server with them."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "BIGQUERY_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(scope="module")
def loader():
    """Serve a local BigQuery."""
    with BigQuerySandbox() as sandbox:
        yield sandbox


@pytest.fixture
def credentials_file(monkeypatch, tmp_path):
    """Give the machine application default credentials of a person."""
    path = tmp_path / "credentials.json"
    person = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    path.write_text(json.dumps({**person, "quota_project_id": "quota-project"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


def make_dataset(client, name: str) -> list[str]:
    """Create a dataset over the wire, and return the names of all."""
    client.create_dataset(Dataset(f"{client.project}.{name}"))
    return [item.dataset_id for item in client.list_datasets()]


def test_emulator_needs_no_credentials(monkeypatch, loader):
    """With BIGQUERY_EMULATOR_HOST a client works without any credentials."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", loader.url)
    client = get_bigquery_client(gcp_conn_id=None, project_id="sandbox-project")
    assert "from_environment" in make_dataset(client, "from_environment")


def test_no_token_goes_in_clear(monkeypatch, credentials_file):
    """A person's credentials are not sent to an emulator over plain http, not even to be acted for by somebody."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    client = get_bigquery_client(gcp_conn_id=None, project_id="p", impersonation_chain="a@p.iam.gserviceaccount.com")
    assert isinstance(client._credentials, AnonymousCredentials)


def test_emulator_takes_the_project_of_the_machine(monkeypatch):
    """Anonymous credentials have no project: GOOGLE_CLOUD_PROJECT names it, the argument wins over that."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "machine-project")
    assert get_bigquery_client(gcp_conn_id=None).project == "machine-project"
    assert get_bigquery_client(gcp_conn_id=None, project_id="mine").project == "mine"


def test_default_credentials(credentials_file):
    """Without an emulator the machine's credentials are used, for the project and location that were asked for."""
    client = get_bigquery_client(gcp_conn_id=None, project_id="mine", location="EU")
    assert (client.project, client.location) == ("mine", "EU")
    assert client._credentials.refresh_token == "r"
    assert f"airflow-provider-iginsights/{__version__}" in client._connection._client_info.to_user_agent()


@pytest.mark.parametrize(
    ("chain", "target", "delegates"),
    [
        ("a@p.iam", "a@p.iam", []),
        (["a@p.iam", "b@p.iam", "c@p.iam"], "c@p.iam", ["a@p.iam", "b@p.iam"]),
        (" a@p.iam , b@p.iam", "b@p.iam", ["a@p.iam"]),
        ("['a@p.iam', 'b@p.iam']", "b@p.iam", ["a@p.iam"]),
        ('["a@p.iam"]', "a@p.iam", []),
        (("a@p.iam", "b@p.iam"), "b@p.iam", ["a@p.iam"]),
    ],
)
def test_impersonation_chain(credentials_file, chain, target, delegates):
    """The last account of a chain is the one to act as, the others hand on."""
    credentials = get_bigquery_client(gcp_conn_id=None, project_id="p", impersonation_chain=chain)._credentials
    assert isinstance(credentials, ImpersonatedCredentials)
    assert (credentials.service_account_email, credentials._delegates) == (target, delegates)


@pytest.mark.parametrize("chain", [None, "", [], "None", "[]"])
def test_no_impersonation(credentials_file, chain):
    """Without a chain the credentials stay as they are."""
    client = get_bigquery_client(gcp_conn_id=None, project_id="p", impersonation_chain=chain)
    assert not isinstance(client._credentials, ImpersonatedCredentials)


def test_no_credentials_anywhere():
    """On a machine without credentials the message says what to set."""
    with pytest.raises(
        ConfigurationError, match=r"No Google Cloud connection is named.*GOOGLE_APPLICATION_CREDENTIALS"
    ):
        get_bigquery_client(gcp_conn_id=None, project_id="p")


def test_no_project_anywhere(monkeypatch):
    """Where nothing names a project the message says which argument does."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="operators: project_id; commands: --project"):
        get_bigquery_client(gcp_conn_id=None)


@without_provider
def test_missing_provider_is_named():
    """A connection without the Google provider: the message has the line to install it, and the way without."""
    with pytest.raises(GoogleProviderMissing) as caught:
        get_bigquery_client(gcp_conn_id="google_cloud_default", project_id="p")
    assert "pip install 'airflow-provider-iginsights[google]'" in str(caught.value)
    assert "gcp_conn_id=None" in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


@pytest.fixture
def google_connection(monkeypatch):
    """Return a function that defines the connection ``google_cloud_default``, of these fields alone."""

    def define(**extra: object) -> None:
        text = json.dumps({"conn_type": "google_cloud_platform", "extra": extra})
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", text)

    return define


@pytest.fixture
def connection_with_key(monkeypatch):
    """Define the connection ``google_cloud_default`` with a key for which a server gives tokens."""
    with open_google_connection(project="sandbox-project") as text:
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", text)
        yield


@pytest.fixture
def anonymous_connection(google_connection):
    """Define the connection ``google_cloud_default`` without credentials; old providers have no such connections."""
    module = importlib.import_module("airflow.providers.google.common.hooks.base_google")
    if "is_anonymous" not in inspect.getsource(module):
        pytest.skip("This Google provider has no anonymous connections.")
    google_connection(is_anonymous=True, project="sandbox-project")


@with_provider
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", ["connection_with_key", "anonymous_connection"])
def test_connection_of_the_provider(monkeypatch, request, loader, kind):
    """A connection gives a client for its own project, which works against the emulator."""
    request.getfixturevalue(kind)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", loader.url)
    client = get_bigquery_client(gcp_conn_id="google_cloud_default", location="US")
    assert (client.project, client.location) == ("sandbox-project", "US")
    assert kind in make_dataset(client, kind)


@with_provider
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("connection_with_key")
def test_project_argument_wins_over_the_connection():
    """The argument names the project, whatever the connection says."""
    assert get_bigquery_client(gcp_conn_id="google_cloud_default", project_id="mine").project == "mine"


@with_provider
@pytest.mark.filterwarnings("default")
def test_connection_without_a_project(monkeypatch):
    """A connection that names no project asks for the argument."""
    with open_google_connection() as text:
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", text)
    with pytest.raises(ConfigurationError, match=r"none comes from .*'google_cloud_default'.*operators: project_id"):
        get_bigquery_client(gcp_conn_id="google_cloud_default")


@with_provider
@pytest.mark.filterwarnings("default")
def test_unknown_google_connection():
    """A connection id that Airflow does not know is named, with the way without."""
    with pytest.raises(ConfigurationError, match=r"no connection 'nobody_knows_me'.*gcp_conn_id=None"):
        get_bigquery_client(gcp_conn_id="nobody_knows_me", project_id="p")


@with_provider
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("chain", [["a@p.iam", "b@p.iam"], "['a@p.iam', 'b@p.iam']", "b@p.iam"])
def test_impersonation_by_the_provider(monkeypatch, google_connection, credentials_file, chain):
    """The chain reaches the provider's hook, which acts as its last account, in the connection's project."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "machine-project")
    google_connection(project="sandbox-project")
    client = get_bigquery_client(gcp_conn_id="google_cloud_default", impersonation_chain=chain)
    assert (client._credentials.service_account_email, client.project) == ("b@p.iam", "sandbox-project")


@with_provider
@pytest.mark.filterwarnings("default")
def test_a_machine_without_a_project(google_connection, credentials_file):
    """The connection's project is enough; providers that want one of the machine, too, are named with what helps."""
    google_connection(project="sandbox-project")
    release = Version(version("apache-airflow-providers-google"))
    if Version("19.4") <= release < Version("22"):
        with pytest.raises(ConfigurationError, match=r"from 19.4 to 22.5.*set GOOGLE_CLOUD_PROJECT") as caught:
            get_bigquery_client(gcp_conn_id="google_cloud_default")
        assert "Keyfile" not in str(caught.value)
    else:
        assert get_bigquery_client(gcp_conn_id="google_cloud_default").project == "sandbox-project"


@with_provider
@pytest.mark.filterwarnings("default")
def test_a_secret_of_an_unknown_project(google_connection, credentials_file):
    """Of a key in a secret, the error asks for the secret's project, and not for a key in another field."""
    if Version(version("apache-airflow-providers-google")) < Version("19.4"):
        pytest.skip("This Google provider asks Google for a secret of no project.")
    google_connection(project="sandbox-project", key_secret_name="key")
    with pytest.raises(ConfigurationError, match="Of a key in a secret, fill in the secret's project") as caught:
        get_bigquery_client(gcp_conn_id="google_cloud_default")
    assert "Keyfile" not in str(caught.value)


KEY = {
    "type": "service_account",
    "project_id": "p",
    "private_key_id": "1",
    "private_key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    "client_email": "loader@p.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}
SECRETS = ("c2VjcmV0", "BEGIN PRIVATE KEY")
ODD_CONNECTIONS = {
    "single quotes": ({"keyfile_dict": str(KEY)}, "Invalid key JSON"),
    "a broken key": ({"keyfile_dict": json.dumps(KEY)}, "ValueError"),
    "no key in it": ({"keyfile_dict": '{"type": "service_account"}'}, "lacks 'private_key'"),
    "no such file": ({"key_path": "/no/such/key.json"}, "/no/such/key.json"),
    "the key in place of its path": ({"key_path": json.dumps(KEY)}, "extension"),
    "a P12 file": ({"key_path": "/etc/key.p12"}, "P12"),
    "both fields": ({"key_path": "/etc/key.json", "keyfile_dict": json.dumps(KEY)}, "mutually exclusive"),
    "nothing": ({}, "default credentials were not found"),
}


@with_provider
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("extra", "said"), ODD_CONNECTIONS.values(), ids=ODD_CONNECTIONS)
def test_a_connection_without_usable_credentials_is_named(google_connection, extra, said):
    """What cannot be read in a connection is told with its name and its fields, never as a bare error or with a key."""
    google_connection(project="p", **extra)
    with pytest.raises(ConfigurationError, match="Keyfile JSON takes") as caught:
        get_bigquery_client(gcp_conn_id="google_cloud_default")
    assert "'google_cloud_default' (gcp_conn_id) gives no Google Cloud credentials" in str(caught.value)
    assert said in str(caught.value)
    assert not [secret for secret in SECRETS if secret in "".join(traceback.format_exception(caught.value))]


def not_here(path):
    """Leave the path as it is: nothing is there."""


ODD_FILES = {
    "no file": (not_here, "was not found"),
    "a folder": (Path.mkdir, "Is a directory"),
    "an empty file": (Path.touch, "not a valid json file"),
    "no JSON": (lambda path: path.write_text(str(KEY)), "not a valid json file"),
    "no text": (lambda path: path.write_bytes(b"\x30\x82\xff"), "Error"),
    "no credentials": (lambda path: path.write_text('{"installed": {}}'), "does not have a valid type"),
    "a broken key": (lambda path: path.write_text(json.dumps(KEY)), "Failed to load service account credentials"),
}


@pytest.mark.parametrize(("make", "said"), ODD_FILES.values(), ids=ODD_FILES)
def test_a_file_without_usable_credentials_is_named(monkeypatch, tmp_path, make, said):
    """A file that the machine's variable names and that gives no credentials is told as such, with what it says."""
    make(path := tmp_path / "key.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(
        ConfigurationError, match=f"The variable GOOGLE_APPLICATION_CREDENTIALS gives no.*{said}"
    ) as caught:
        get_bigquery_client(gcp_conn_id=None, project_id="p")
    assert not [secret for secret in SECRETS if secret in "".join(traceback.format_exception(caught.value))]
    # What google-auth caught is the second argument of its error, of which Python prints the name and all arguments.
    assert "Error(" not in str(caught.value)


@pytest.mark.parametrize("pasted", [json.dumps(KEY), base64.b64encode(json.dumps(KEY).encode() * 2).decode()])
def test_a_key_in_place_of_its_path_is_not_shown(monkeypatch, pasted):
    """Whoever puts the key itself into the variable reads what it takes, and the key stands in no traceback."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", pasted)
    with pytest.raises(ConfigurationError, match="takes the path of a JSON file") as caught:
        get_bigquery_client(gcp_conn_id=None, project_id="p")
    shown = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in (*SECRETS, pasted[:40]) if secret in shown]


CREDENTIALS = {
    "key": (
        service_account.Credentials(None, "loader@p.iam.gserviceaccount.com", "https://oauth2.googleapis.com/token"),
        "a key of a service account, loader@p.iam.gserviceaccount.com.",
    ),
    "person": (oauth2.Credentials("ya29.secret", account="ann@example.com"), "the login of a person, ann@example.com."),
    "machine": (
        compute_engine.Credentials(universe_domain="googleapis.com"),
        "the service account of this machine, default.",
    ),
    "impersonated": (
        ImpersonatedCredentials(AnonymousCredentials(), "target@p.iam.gserviceaccount.com", []),
        "a service account that is impersonated, target@p.iam.gserviceaccount.com.",
    ),
    "nobody": (AnonymousCredentials(), "none, since an emulator is asked."),
}


@pytest.mark.parametrize(("credentials", "said"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_credentials_are_described(credentials: Credentials, said: str) -> None:
    """Where they come from, of which kind they are and whose is said; what they hold is not."""
    with closing(Client(project="p", credentials=credentials)) as client:
        assert describe_credentials(client, gcp_conn_id=None) == f"From the application default credentials: {said}"
        assert describe_credentials(client, gcp_conn_id="google") == f"From the connection google: {said}"
