"""The errors that fail a task without a retry: each is ours, and Airflow's AirflowFailException as well.

Airflow decides by the class of what a task raises: it retries anything but an ``AirflowFailException``. ``except``
knows an error by its base in :mod:`airflow_provider_iginsights.errors`. The classes stand here and not there, because
rooms without Airflow import that module.
"""

from __future__ import annotations

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import AirflowFailException


class ConfigurationErrorWithoutRetry(errors.ConfigurationError, AirflowFailException):
    """The Dag or the connection asks for something that cannot be."""


class GoogleProviderMissingWithoutRetry(errors.GoogleProviderMissing, AirflowFailException):
    """The Google provider is not installed."""


class IncompatibleTableWithoutRetry(errors.IncompatibleTable, AirflowFailException):
    """An existing table does not fit the rows."""


class HashSaltMismatchWithoutRetry(errors.HashSaltMismatch, AirflowFailException):
    """A table holds hashes of another salt."""


class DatasetUnavailableWithoutRetry(errors.DatasetUnavailable, AirflowFailException):
    """The dataset does not exist, or may not be used."""


class StagedRowsMissingWithoutRetry(errors.StagedRowsMissing, AirflowFailException):
    """Mapped tasks did not stage everything; what they staged is written."""


class RowsMissingWithoutRetry(errors.RowsMissing, AirflowFailException):
    """The tables have no row of some accounts and days."""


class FatalGraphErrorWithoutRetry(errors.FatalGraphError, AirflowFailException):
    """Somebody has to act at Meta."""


class TokenExpiredWithoutRetry(errors.TokenExpired, AirflowFailException):
    """The access token is missing, malformed, expired or revoked."""


class PermissionMissingWithoutRetry(errors.PermissionMissing, AirflowFailException):
    """The token lacks a permission."""


class AccountUnavailableWithoutRetry(errors.AccountUnavailable, AirflowFailException):
    """The account does not exist, or the token cannot see it."""


class PolicyBlockedWithoutRetry(errors.PolicyBlocked, AirflowFailException):
    """Meta blocked the app or the user."""


class ThrottledWithoutRetry(errors.Throttled, AirflowFailException):
    """Meta's rate limit did not open within ``throttle_timeout``."""


WITHOUT_RETRY: dict[type[errors.InsightsError], type[errors.InsightsError]] = {
    kind.__bases__[0]: kind
    for kind in (
        ConfigurationErrorWithoutRetry,
        GoogleProviderMissingWithoutRetry,
        IncompatibleTableWithoutRetry,
        HashSaltMismatchWithoutRetry,
        DatasetUnavailableWithoutRetry,
        StagedRowsMissingWithoutRetry,
        RowsMissingWithoutRetry,
        FatalGraphErrorWithoutRetry,
        TokenExpiredWithoutRetry,
        PermissionMissingWithoutRetry,
        AccountUnavailableWithoutRetry,
        PolicyBlockedWithoutRetry,
        ThrottledWithoutRetry,
    )
}
"""Error -> the error that is raised in its place."""
