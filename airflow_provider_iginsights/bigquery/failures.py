"""What BigQuery's and Google's refusals mean, as data: how each is known, the error it becomes, and what to do.

Reasons are those of BigQuery's error table ("Error messages" in the BigQuery documentation); :data:`CREDENTIALS` is
ours, for an error of google-auth. The first row that fits decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_iginsights.errors import DatasetUnavailable, LoadError

CREDENTIALS = "credentials"
"""The reason of an error of google-auth: no request was sent, since the credentials gave no token."""

BUSY_REASONS = frozenset({"rateLimitExceeded", "jobRateLimitExceeded"})
# These arrive under reasons that also stand for what never passes (invalidQuery, resourcesExceeded), so that only the
# text tells ("Troubleshoot quota and limit errors", "DML: conflicts").
BUSY_TEXTS = (
    "Too many DML statements outstanding",
    "Could not serialize access",
    "due to concurrent update",
    "too many table update operations",
    "too many table dml",
    "number of jobs that can be queued",
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
_CREDENTIALS = frozenset({CREDENTIALS})
_BUSY = "The table is busy: let fewer tasks write to it at once, with an Airflow pool."
_DENIED = frozenset({"accessDenied", "403"})
FAILURES: tuple[BigQueryFailure, ...] = (
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Enable the API that the message names, in the project that it names.",
        texts=("has not been used in project", "api is not enabled"),
    ),
    # google-auth says these of its own credentials, before BigQuery is asked.
    BigQueryFailure(
        _CREDENTIALS,
        DatasetUnavailable,
        "Grant the credentials the role Service Account Token Creator (roles/iam.serviceAccountTokenCreator) on the "
        "service account that is impersonated.",
        texts=("getaccesstoken", "impersonated credentials", "impersonate"),
    ),
    BigQueryFailure(
        _CREDENTIALS,
        LoadError,
        "Set the clock of the worker right: Google takes no signature from another time.",
        texts=("iat and exp", "reasonable timeframe", "token used too early"),
    ),
    BigQueryFailure(
        _CREDENTIALS,
        LoadError,
        "The login of a person ends: log in again (`gcloud auth application-default login`), or use a service account.",
        texts=("reauth", "rapt"),
    ),
    BigQueryFailure(
        _CREDENTIALS,
        LoadError,
        "The key or login of the Google Cloud credentials was deleted, disabled, revoked or has expired, or its "
        "service account is gone. Put a new one into the connection or on the machine.",
        texts=("invalid_grant", "invalid_client", "unauthorized_client", "deleted_client", "account has been deleted"),
    ),
    BigQueryFailure(_CREDENTIALS, LoadError, "Check the Google Cloud credentials of the connection or of the machine."),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Grant the credentials the role Service Usage Consumer (roles/serviceusage.serviceUsageConsumer) on the "
        "project that the credentials name for their quota, or take that project out of the credentials.",
        texts=("serviceusage.services.use", "serviceusageconsumer"),
    ),
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
    # A statement that writes needs a policy whose filter is TRUE ("Using row-level security with other features").
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "The table has row access policies: let these credentials see all of its rows, by a policy with FILTER USING "
        "(TRUE) that is granted to them.",
        texts=("row access polic", "row-level", "row level security", "row level access", "rowaccesspolic"),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "A policy of the organization forbids it, and the message names the constraint. Choose a location or an "
        "encryption key that it allows (location, table_options), or ask the policy's administrator.",
        texts=("violates constraint", "constraints/", "organization policy", "org policy"),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "A linked dataset, which somebody shares, can only be read: name a dataset of your own.",
        texts=("linked dataset",),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "All that one task writes and reads has to lie in one location: check dataset_id, project_id and location.",
        texts=("in different locations",),
    ),
    BigQueryFailure(
        _ANY,
        LoadError,
        "Somebody streams rows into the table, and BigQuery changes no row that came within about 90 minutes. Run the "
        "task again then, and let the others stream into a table of their own.",
        texts=("streaming buffer",),
    ),
    BigQueryFailure(
        _ANY,
        DatasetUnavailable,
        "Another tool keeps the table up to date by change data capture (the Storage Write API), after which BigQuery "
        "takes no statement that writes: name a table of this provider's own, or copy the rows to a new table.",
        texts=("upsert stream",),
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
    BigQueryFailure(
        frozenset({"resourcesExceeded", "timeout", "responseTooLarge"}),
        LoadError,
        "Read fewer days or accounts in one task.",
    ),
    BigQueryFailure(
        frozenset({"blocked"}), LoadError, "Google has blocked the project for this: ask the support of Google Cloud."
    ),
    BigQueryFailure(frozenset({"401"}), LoadError, "Renew the Google Cloud credentials of the connection."),
    BigQueryFailure(BUSY_REASONS, LoadError, _BUSY),
    BigQueryFailure(_ANY, LoadError, _BUSY, texts=tuple(text.lower() for text in BUSY_TEXTS)),
    BigQueryFailure(LOST_REASONS, LoadError, "BigQuery has trouble of its own; run the task again later."),
)
OTHERWISE = BigQueryFailure(
    _ANY,
    LoadError,
    "The target is as it was. The message is BigQuery's own: its page of error messages says what to do about it.",
)
