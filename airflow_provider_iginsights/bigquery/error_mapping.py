"""What BigQuery's refusals mean: which pass by themselves, and what a person has to do about the others.

Reasons are those of BigQuery's error table ("Error messages" in the BigQuery documentation). A refusal arrives either
as an HTTP error or as the ``errorResult`` of a finished job; both are read by the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import DatasetUnavailable, GraphFacts, LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY_REASONS = frozenset({"rateLimitExceeded", "jobRateLimitExceeded"})
# These arrive under reasons that also stand for what never passes (invalidQuery, resourcesExceeded), so that only the
# text tells ("Troubleshoot quota and limit errors", "DML: conflicts").
BUSY_TEXTS = (
    "Too many DML statements outstanding",
    "Could not serialize access",
    "due to concurrent update",
    "too many table update operations",
    "too many table dml",
)
LOST_REASONS = frozenset({"backendError", "internalError", "jobBackendError", "jobInternalError", "tableUnavailable"})

DATA_ROLE = "BigQuery Data Editor (roles/bigquery.dataEditor) on the dataset"
DATASET_ROLE = "BigQuery User (roles/bigquery.user) on the project, which may create datasets"
LIST_ROLE = "BigQuery User (roles/bigquery.user) on the project, which may list jobs"
JOB_ROLE = "BigQuery Job User (roles/bigquery.jobUser) on the project"


@dataclass(frozen=True, slots=True)
class BigQueryFailure:
    """One row: how it is known, the error it becomes, and what to do (``{role}`` = the missing role).

    ``reasons``: any of them; none = whatever the reason. ``texts``: any of them, in lower case, in BigQuery's message;
    none = whatever it says. The first row that fits counts.
    """

    reasons: frozenset[str]
    error: type[LoadError]
    advice: str
    texts: tuple[str, ...] = ()

    def fits(self, known: frozenset[str], said: str) -> bool:
        """Tell whether an error with these reasons, which says this (in lower case), is the one of this row."""
        return (not self.reasons or bool(self.reasons & known)) and (
            not self.texts or any(text in said for text in self.texts)
        )


_ANY: frozenset[str] = frozenset()
_DENIED = frozenset({"accessDenied", "403"})
FAILURES: tuple[BigQueryFailure, ...] = (
    # accessDenied has many causes, and only BigQuery's text tells which, and so who can help ("Troubleshoot IAM
    # permissions in BigQuery", "Troubleshoot queries", "VPC Service Controls: troubleshoot" in Google's documentation).
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Ask the administrator of the VPC Service Controls perimeter to let these credentials, from where the task "
        "runs, use the project: an ingress or egress rule, found by the unique identifier in the message.",
        texts=("vpc service controls", "vpcservicecontrolsuniqueidentifier"),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Ask the administrator of the encryption key (CMEK): the key must be enabled, and BigQuery's service account "
        "needs the role Cloud KMS CryptoKey Encrypter/Decrypter (roles/cloudkms.cryptoKeyEncrypterDecrypter) on it.",
        texts=("cloud kms", "cloudkms.", "kms key"),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Ask the administrator for an encryption key (CMEK), and make it the default key of dataset and project.",
        texts=("encryption key",),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Grant the credentials the role Fine-Grained Reader (roles/datacatalog.categoryFineGrainedReader) on the "
        "policy tag of the column, or take the tag off the columns that this provider writes.",
        texts=("policy tag", "finegrainedget", "fine-grained reader", "raw access permissions on the read columns"),
    ),
    BigQueryFailure(
        _ANY,
        LoadError,
        "Enable billing for the project: without it BigQuery refuses the statements that write (DML), and tables "
        "expire after 60 days.",
        texts=("billing has not been enabled", "sandbox mode", "not allowed in the free tier"),
    ),
    BigQueryFailure(
        _DENIED, DatasetUnavailable, f"Grant the credentials the role {JOB_ROLE}.", texts=("bigquery.jobs.create",)
    ),
    BigQueryFailure(
        _DENIED, DatasetUnavailable, f"Grant the credentials the role {LIST_ROLE}.", texts=("bigquery.jobs.list",)
    ),
    BigQueryFailure(
        _DENIED,
        DatasetUnavailable,
        f"Grant the credentials the role {DATASET_ROLE}.",
        texts=("bigquery.datasets.create",),
    ),
    BigQueryFailure(
        _DENIED,
        DatasetUnavailable,
        f"Grant the credentials the role {DATA_ROLE}.",
        texts=(
            "bigquery.tables.",
            "bigquery.datasets.",
            "access denied: table",
            "access denied: dataset",
            "query table",
        ),
    ),
    BigQueryFailure(_DENIED, DatasetUnavailable, "Grant the credentials the role {role}."),
    BigQueryFailure(frozenset({"notFound", "404"}), DatasetUnavailable, "Check project, dataset and location."),
    BigQueryFailure(frozenset({"accessNotConfigured"}), DatasetUnavailable, "Enable the BigQuery API in this project."),
    BigQueryFailure(
        frozenset({"billingNotEnabled", "billingTierLimitExceeded"}), LoadError, "Enable billing for this project."
    ),
    BigQueryFailure(
        frozenset({"quotaExceeded"}), LoadError, "A quota of the project is used up; run again when it renews."
    ),
    BigQueryFailure(
        frozenset({"bytesBilledLimitExceeded"}),
        LoadError,
        "Raise maximum_bytes_billed, or read fewer days or accounts in one task.",
    ),
    BigQueryFailure(frozenset({"stopped"}), LoadError, "The job was cancelled; run the task again."),
    BigQueryFailure(frozenset({"401"}), LoadError, "Renew the Google Cloud credentials of the connection."),
    BigQueryFailure(
        BUSY_REASONS, LoadError, "The table is busy: let fewer tasks write to it at once, with an Airflow pool."
    ),
    BigQueryFailure(LOST_REASONS, LoadError, "BigQuery has trouble of its own; run the task again later."),
)
_OTHERWISE = BigQueryFailure(frozenset(), LoadError, "The target is as it was.")
_UNANSWERED = "No usable answer came from BigQuery; run the task again. Nothing is written twice by that."


class JobFailed(Exception):
    """A job ended with an ``errorResult``. Stays inside this room."""

    def __init__(self, job: Any) -> None:
        result: Mapping[str, str] = job.error_result or {}
        rows = [error.get("message", "") for error in (job.errors or [])[:3]]
        self.reason: str = result.get("reason", "")
        super().__init__("; ".join(dict.fromkeys([result.get("message", ""), *rows])))


def reasons(error: BaseException) -> frozenset[str]:
    """Return the BigQuery reasons and the HTTP status (as text) that an error carries."""
    if isinstance(error, JobFailed):
        return frozenset({error.reason})
    # An HTTP error of BigQuery's API lists details with a reason each; its status alone covers several reasons.
    details = getattr(error, "errors", None) or ()
    said = {detail.get("reason", "") for detail in details if isinstance(detail, dict)}
    code = getattr(error, "code", None)
    return frozenset(said | ({str(int(code))} if code else set())) - {""}


def is_busy(error: BaseException) -> bool:
    """Tell whether BigQuery asks to come back later: DML queue full, rate limit, a conflict it gave up on."""
    if reasons(error) & (BUSY_REASONS | {"429"}):
        return True
    return _speaks(error) and any(text.lower() in str(error).lower() for text in BUSY_TEXTS)


def is_lost(error: BaseException) -> bool:
    """Tell whether an answer was lost or BigQuery failed by itself, so that asking again can help."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    if reasons(error) & LOST_REASONS:
        return True
    # 501 is a server error by its number, but no retry helps.
    if isinstance(error, api.MethodNotImplemented):
        return False
    lost = (api.ServerError, api.RetryError, auth.TransportError, requests.RequestException, ConnectionError)
    return isinstance(error, (*lost, TimeoutError))


def speaks_of_bigquery(error: BaseException) -> bool:
    """Tell whether an error comes from BigQuery, its client or the way there (and not from a mistake in our code)."""
    from google.auth import exceptions as auth

    return _speaks(error) or is_lost(error) or isinstance(error, auth.GoogleAuthError)


def load_error(error: BaseException, *, doing: str, role: str) -> LoadError:
    """Return the error to raise: what was tried, what BigQuery said, what to do.

    :param doing: completes "BigQuery refused to ..."
    :param role: the role that ``doing`` needs, named if access was denied.
    """
    said = " ".join(str(getattr(error, "message", "") or error).split())[:1500].rstrip(".")
    if is_lost(error) and not isinstance(error, JobFailed):
        return LoadError(f"The attempt to {doing} was given up: {said}. {_UNANSWERED}")
    known = reasons(error)
    # A status such as 403 stands for many reasons; the reason itself says more.
    ranked = sorted(FAILURES, key=lambda each: not each.texts and not any(map(str.isalpha, each.reasons & known)))
    failure = next((each for each in ranked if each.fits(known, said.lower())), _OTHERWISE)
    code = getattr(error, "code", None)
    facts = GraphFacts(http_status=int(code) if code else None)
    return failure.error(f"BigQuery refused to {doing}: {said}. {failure.advice.format(role=role)}", facts=facts)


def _speaks(error: BaseException) -> bool:
    from google.api_core import exceptions as api

    return isinstance(error, JobFailed | api.GoogleAPIError)
