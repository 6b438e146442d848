"""What refusals of BigQuery, of Google's login and of the way there become."""

from __future__ import annotations

import json
import ssl
import traceback
from contextlib import closing
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.bigquery import Client
from google.oauth2.credentials import Credentials

from airflow_provider_iginsights.bigquery.error_mapping import JobFailed, is_busy, is_lost, load_error
from airflow_provider_iginsights.bigquery.failures import DATA_ROLE, DATASET_ROLE, JOB_ROLE
from airflow_provider_iginsights.bigquery.retry import BigQueryRetrier, RetryBudget
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.errors import DatasetUnavailable, LoadError
from tests.support.bigquery import rows

QUEUE = "Quota exceeded: Your project and region exceeded quota for max number of jobs that can be queued per project."


class Job:
    """A finished job with an error, as google.cloud.bigquery shows it."""

    def __init__(self, reason: str, message: str = "It failed.", *more: str) -> None:
        self.error_result = {"reason": reason, "message": message}
        self.errors = [self.error_result, *({"message": text} for text in more)]


def forbidden(reason: str, message: str = "Refused.") -> api.Forbidden:
    """Return a 403 with a reason."""
    return api.Forbidden(message, errors=[{"reason": reason, "message": message}])


@pytest.mark.parametrize(
    ("error", "busy", "lost"),
    [
        (forbidden("rateLimitExceeded"), True, False),
        (forbidden("quotaExceeded"), False, False),
        (forbidden("accessDenied"), False, False),
        (api.TooManyRequests("slow down"), True, False),
        (api.BadRequest("Too many DML statements outstanding against table p:d.t, limit is 20."), True, False),
        (JobFailed(Job("resourcesExceeded", "Too many DML statements outstanding against table t")), True, False),
        (JobFailed(Job("invalidQuery", "Could not serialize access to table t due to concurrent update")), True, False),
        (JobFailed(Job("jobRateLimitExceeded")), True, False),
        (JobFailed(Job("jobBackendError")), False, True),
        (JobFailed(Job("jobInternalError")), False, True),
        (JobFailed(Job("backendError")), False, True),
        (JobFailed(Job("invalidQuery", "Syntax error")), False, False),
        (JobFailed(Job("stopped", "Job was cancelled")), False, False),
        (api.InternalServerError("500"), False, True),
        (api.BadGateway("502"), False, True),
        (api.ServiceUnavailable("503"), False, True),
        (api.MethodNotImplemented("501"), False, False),
        (api.NotFound("404"), False, False),
        (requests.ConnectionError("cut"), False, True),
        (requests.Timeout("slow"), False, True),
        (requests.JSONDecodeError("broken", "{", 1), False, True),
        (ConnectionResetError("cut"), False, True),
        (auth.TransportError("no metadata server"), False, True),
        (auth.RefreshError("invalid_grant"), False, False),
        (auth.RefreshError("internal_failure", retryable=True), False, True),
        (forbidden("quotaExceeded", QUEUE), True, False),
        (requests.exceptions.InvalidProxyURL("Please check proxy URL."), False, False),
        (ValueError("Too many DML statements outstanding"), False, False),
    ],
    ids=repr,
)
def test_what_passes_by_itself(error: Exception, busy: bool, lost: bool) -> None:
    """Busy and lost are waited for, everything else is final."""
    assert (is_busy(error), is_lost(error)) == (busy, lost)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (forbidden("accessDenied", "User does not have bigquery.jobs.create."), DatasetUnavailable, "jobUser"),
        (forbidden("quotaExceeded"), LoadError, "A quota of the project is used up"),
        (forbidden("billingNotEnabled"), LoadError, "Enable billing"),
        (forbidden("accessNotConfigured"), DatasetUnavailable, "Enable the BigQuery API"),
        (api.NotFound("Not found: Dataset p:d"), DatasetUnavailable, "Check project, dataset and location"),
        (api.Unauthorized("Invalid credentials"), LoadError, "Renew the Google Cloud credentials"),
        (JobFailed(Job("stopped")), LoadError, "The job was cancelled"),
        (
            JobFailed(Job("invalid", "Error while reading data.", "Row 3: no such field: x")),
            LoadError,
            "Row 3: no such",
        ),
        (requests.ConnectionError("cut"), LoadError, "Nothing is written twice by that"),
        (JobFailed(Job("invalidQuery", "It is odd.")), LoadError, "its page of error messages says what to do"),
        (forbidden("rateLimitExceeded"), LoadError, "Airflow pool"),
    ],
    ids=repr,
)
def test_refusals_become_sentences(error: Exception, kind: type[LoadError], said: str) -> None:
    """The message says what was tried, what BigQuery said and what to do; the class says what kind it is."""
    made: Any = load_error(error, doing="write 3 rows into p.d.t", role=JOB_ROLE)
    assert type(made) is kind
    assert "write 3 rows into p.d.t" in made.message
    assert said in made.message
    assert made.message.endswith((".", ")"))


TAG = 'Access Denied: BigQuery BigQuery: User does not have permission to access policy tag "A : B" on column p.d.t.c.'
KMS = (
    "Access Denied: BigQuery BigQuery: Cloud KMS Error: Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on "
    "resource 'projects/k/locations/us/keyRings/r/cryptoKeys/k' (or it may not exist)."
)
PERIMETER = (
    "VPC Service Controls: Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: X."
)
FREE = (
    "Billing has not been enabled for this project. Enable billing at https://console.cloud.google.com/billing. "
    "DML queries are not allowed in the free tier. Set up a billing account to remove this restriction."
)


@pytest.mark.parametrize(
    ("reason", "text", "advice"),
    [
        ("accessDenied", TAG, "Fine-Grained Reader"),
        ("accessDenied", "Requires fineGrainedGet permission on the read columns to execute the DML.", "Fine-Grained"),
        ("accessDenied", "Access Denied: Table p:d.t: User does not have permission to query table p:d.t.", DATA_ROLE),
        (
            "accessDenied",
            "Permission bigquery.tables.updateData denied on table p:d.t (or it may not exist).",
            DATA_ROLE,
        ),
        ("accessDenied", "Access Denied: Dataset p:d: Permission bigquery.datasets.get denied.", DATA_ROLE),
        ("policyViolation", PERIMETER, "administrator of the VPC Service Controls perimeter"),
        ("accessDenied", PERIMETER, "administrator of the VPC Service Controls perimeter"),
        ("accessDenied", KMS, "administrator of the encryption key"),
        ("invalid", "Your administrator requires that you specify an encryption key for queries.", "default key"),
        ("billingNotEnabled", FREE, "Enable billing for the project: without it"),
        ("accessDenied", "Access Denied: Project p: User does not have bigquery.jobs.create permission.", JOB_ROLE),
        ("accessDenied", "Access Denied: Project p: User does not have bigquery.datasets.create.", DATASET_ROLE),
    ],
)
@pytest.mark.parametrize("arrives", ["http", "job"])
def test_the_right_person_is_named(reason: str, text: str, advice: str, arrives: str) -> None:
    """Access is denied at many doors: the advice names who has the key to this one, and no other role."""
    error: Exception = forbidden(reason, text) if arrives == "http" else JobFailed(Job(reason, text))
    message = load_error(error, doing="write 3 rows into p.d.t", role=JOB_ROLE).message
    assert advice in message
    assert ("Job User" in message) == (advice == JOB_ROLE)


@pytest.mark.parametrize(
    ("reason", "text", "advice"),
    [
        ("forbidden", "BigQuery API has not been used in project 1 before or it is disabled.", "Enable the API that"),
        ("forbidden", "Grant the caller the roles/serviceusage.serviceUsageConsumer role.", "Service Usage Consumer"),
        ("accessDenied", "DML on a table with row access policies needs a filter that is TRUE.", "FILTER USING (TRUE)"),
        ("invalidQuery", "The table is protected by row-level security.", "FILTER USING (TRUE)"),
        (
            "conditionNotMet",
            "'us-central1' violates constraint 'constraints/gcp.resourceLocations' on the resource 'projects/p'.",
            "A policy of the organization forbids it",
        ),
        ("invalid", "Linked dataset p:d cannot be written to.", "name a dataset of your own"),
        ("invalid", "Cannot read and write in different locations: source: US, destination: EU", "in one location"),
        ("invalidQuery", "MERGE over table t would affect rows in the streaming buffer.", "90 minutes"),
        (
            "invalid",
            "DELETE/UPDATE/MERGE DMLs are currently not supported over tables that had UPSERT streams.",
            "a table of this provider's own",
        ),
        ("resourcesExceeded", "Resources exceeded during query execution.", "Read fewer days or accounts"),
        ("timeout", "Operation timed out after 6.0 hours.", "Read fewer days or accounts"),
        ("blocked", "The project is blocked.", "support of Google Cloud"),
        ("invalidQuery", "Transaction is aborted due to concurrent update against table p:d.t.", "Airflow pool"),
    ],
)
@pytest.mark.parametrize("arrives", ["http", "job"])
def test_each_refusal_says_what_to_do(reason: str, text: str, advice: str, arrives: str) -> None:
    """What users met in their projects is answered by what they did about it, however it arrives."""
    error: Exception = forbidden(reason, text) if arrives == "http" else JobFailed(Job(reason, text))
    assert advice in load_error(error, doing="write 3 rows into p.d.t", role=JOB_ROLE).message


NOT_ALLOWED = {"error": {"code": 403, "message": "Permission 'iam.serviceAccounts.getAccessToken' denied."}}


@pytest.mark.parametrize(
    ("error", "said", "advice"),
    [
        (
            auth.RefreshError(
                "invalid_grant: Bad Request", {"error": "invalid_grant", "error_description": "Bad Request"}
            ),
            "p.d: invalid_grant: Bad Request.",
            "Put a new one",
        ),
        (auth.RefreshError("invalid_grant: Invalid JWT Signature.", "{}"), "Invalid JWT Signature.", "Put a new one"),
        (
            auth.RefreshError(
                "invalid_grant: Invalid JWT: Token must be in a reasonable timeframe.", {"access_token": "x"}
            ),
            "reasonable timeframe.",
            "Set the clock of the worker right",
        ),
        (auth.RefreshError("Reauthentication is needed."), "is needed.", "log in again"),
        (
            auth.RefreshError("Unable to acquire impersonated credentials", json.dumps(NOT_ALLOWED)),
            "credentials: Permission 'iam.serviceAccounts.getAccessToken' denied.",
            "Service Account Token Creator",
        ),
        (
            auth.OAuthError("Error code invalid_request", "Invalid audience"),
            "Invalid audience.",
            "Check the Google Cloud",
        ),
    ],
    ids=["refused", "wrong key", "wrong clock", "person", "impersonation", "federation"],
)
def test_refused_credentials_are_told_in_words(error: Exception, said: str, advice: str) -> None:
    """What Google's login says is one sentence, not the text of a tuple or of JSON, and is followed by what to do."""
    message = load_error(error, doing="read the dataset p.d", role=JOB_ROLE).message
    assert message.startswith("Google's login refused to read the dataset p.d: ")
    assert said in message
    assert advice in message
    assert not set("{}'") & set(message.partition(": ")[2].replace("'iam.serviceAccounts.getAccessToken'", ""))


BAD_PROXIES = (
    "http://user:pass#word@127.0.0.1:9",
    "http://user:password@127.0.0.1:80x",
    "user:password@127.0.0.1:9",
    "ftp://user:password@127.0.0.1:9",
)


@pytest.mark.parametrize("proxy", BAD_PROXIES)
def test_a_proxy_that_cannot_be_used_is_told_at_once(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """An address of a proxy that cannot be read fails at once, says how to write it, and its password is in no text."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    waits: list[float] = []
    retrier = BigQueryRetrier(RetryBudget(lost=60.0))
    monkeypatch.setattr(retrier, "sleep", waits.append)
    with closing(Client(project="p", credentials=Credentials("token"))) as client:
        read = partial(client.get_dataset, "p.d", retry=None, timeout=2)
        with pytest.raises(DatasetUnavailable, match="percent-encoded") as caught:
            retrier.call(read, doing="read the dataset p.d")
    assert "pass" not in "".join(traceback.format_exception(caught.value)).replace("name or password of it", "")
    assert waits == []


UNTRUSTED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")


@pytest.mark.parametrize("error", [requests.exceptions.SSLError(UNTRUSTED), auth.TransportError(UNTRUSTED)], ids=repr)
def test_a_certificate_that_is_not_trusted_is_told(error: Exception) -> None:
    """Behind a proxy that looks into connections, the message names the setting that helps."""
    message = load_error(error, doing="read the dataset p.d", role=JOB_ROLE).message
    assert "REQUESTS_CA_BUNDLE" in message
    assert "No usable answer" not in message


PAGE = """<!DOCTYPE html>
<html lang=en><head><title>Blocked</title><style>* {margin: 0}</style></head>
<body><h1>Access denied by the policy of the network</h1></body></html>"""


def paged(status: int, body: str = PAGE) -> requests.Response:
    """Return what the library received: a status and a page, in place of BigQuery's JSON."""
    address = "https://bigquery.googleapis.com/upload/bigquery/v2/projects/p/jobs?uploadType=resumable&upload_id=ABC-1"
    response = requests.Response()
    response.status_code, response._content = status, body.encode()
    response.request = requests.Request("PUT", address).prepare()
    return response


@pytest.mark.parametrize("status", [403, 404, 407, 502, 503])
def test_a_page_is_no_answer_of_bigquery(status: int) -> None:
    """A page of a proxy or a front end is told as one line, without a role, and without the address of an upload."""
    message = load_error(api.from_http_response(paged(status)), doing="load 3 rows", role=JOB_ROLE).message
    assert "jobs: Blocked Access denied by the policy of the network. That is a page, and no answer" in message
    assert not [text for text in ("<", "margin", "upload_id", "ABC-1", "Grant", "\n") if text in message]


def test_a_page_does_not_say_that_something_is_missing() -> None:
    """Only BigQuery's own 404 means that there is no table; a page with that status is an error."""
    session = open_session(Mock(), identity=rows.identity(), options=JobOptions())
    gone = {"error": {"message": "Not found: Table p:d.t", "errors": [{"reason": "notFound"}]}}

    def read(body: str) -> Any:
        return session.find(Mock(side_effect=api.from_http_response(paged(404, body))), "p.d.t", doing="read p.d.t")

    assert read(json.dumps(gone)) is None
    with pytest.raises(LoadError, match="That is a page"):
        read(PAGE)
