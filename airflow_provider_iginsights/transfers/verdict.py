"""What the task does when accounts failed: go on, fail for good, or be tried again; after the others were loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, cast

from airflow_provider_iginsights.errors import InsightsError, RetriableGraphError

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.crowd import Outcome

NAMED = 10


def raise_failures(outcome: Outcome, on_account_error: str) -> None:
    """Raise what the failed accounts call for; return where all are done, or the failed ones are to be skipped.

    One failed account raises its own error. Several raise one error that names them: a retriable one if a retry can
    help any of them. ``skip`` lets the task succeed as long as one account answered.

    :raises InsightsError: as described.
    """
    failed = outcome.failed
    if not failed or (on_account_error == "skip" and outcome.done):
        return
    raise (
        failed.popitem()[1]
        if len(failed) == 1 and not outcome.done
        else combine(failed, len(failed) + len(outcome.done))
    )


def combine(failed: Mapping[str, InsightsError], of: int) -> InsightsError:
    """Return one error for several failed accounts, of the kind that decides: retriable before fatal."""
    errors = list(failed.values())
    decisive = next((error for error in errors if isinstance(error, RetriableGraphError)), errors[0])
    named = "; ".join(f"{account_id}: {error}" for account_id, error in list(failed.items())[:NAMED])
    more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    noun = "account" if of == 1 else "accounts"
    combined = type(decisive)(
        f"{len(failed)} of {of} {noun} failed, all others are loaded. {named}{more}", facts=decisive.facts
    )
    if isinstance(decisive, RetriableGraphError) and isinstance(combined, RetriableGraphError):
        combined.retry_after = decisive.retry_after
    return combined


def fail_now(error: InsightsError) -> NoReturn:
    """Raise the error in a form that Airflow does not retry, and that ``except`` still knows under its own name."""
    raise _failing(type(error))(error.message, facts=error.facts) from error


def _failing(kind: type[InsightsError]) -> type[InsightsError]:
    from airflow_provider_iginsights._compat import AirflowFailException

    return cast(
        "type[InsightsError]",
        type(kind.__name__, (kind, AirflowFailException), {"__module__": kind.__module__, "__doc__": kind.__doc__}),
    )
