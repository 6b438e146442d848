"""What a task does about accounts that failed, after the others were loaded: succeed, fail, or be retried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_iginsights.errors import (
    ConfigurationError,
    FatalGraphError,
    InsightsError,
    RetriableGraphError,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.extract.account_pool import AccountResults
    from airflow_provider_iginsights.extract.left_out import LeftOutLog
    from airflow_provider_iginsights.extract.unanswered import UnansweredRequest

NAMED = 10


def is_last_try(context: Context) -> bool:
    """Return whether Airflow will not try the task again: ``max_tries`` counts the retries, of 2.11 as of 3."""
    instance: Any = context["ti"]
    # Airflow counts tries from 1, and max_tries without the first: with retries=2 the last is try 3 of max_tries 2.
    number, most = getattr(instance, "try_number", None), getattr(instance, "max_tries", None)
    return not isinstance(number, int) or not isinstance(most, int) or number > most


def give_up_unanswered(results: AccountResults, left_out_log: LeftOutLog) -> AccountResults:
    """Return results in which accounts that are not whole count as done, as no further try will ask them.

    What is open is named. Those that failed over something else as well stay as they are: they may be read again after
    a rate limit.
    """
    closed = [account_id for account_id in results.unanswered if account_id not in results.failed]
    for account_id in closed:
        with left_out_log.about(account_id):
            for question in results.unanswered[account_id]:
                left_out_log.note_error(question.whom, question.what, question.error)
    still_open = {account_id: each for account_id, each in results.unanswered.items() if account_id not in closed}
    given_up = {account_id: results.unanswered[account_id] for account_id in closed}
    return replace(results, done=[*results.done, *closed], unanswered=still_open, given_up=given_up)


def describe_open(account_id: str, questions: Sequence[UnansweredRequest]) -> InsightsError:
    """Return the error of an account that is not whole, of the kind of its first open question."""
    first = questions[0].error
    named = "; ".join(dict.fromkeys(f"{each.what} of {each.whom}" for each in questions[:NAMED]))
    more = f"; and {len(questions) - NAMED} more" if len(questions) > NAMED else ""
    error = type(first)(
        f"Account {account_id} is not whole: Meta left open {named}{more}. All its other numbers are loaded; only this "
        f"is asked again. {first.message}",
        facts=first.facts,
    )
    if isinstance(first, RetriableGraphError) and isinstance(error, RetriableGraphError):
        error.retry_after = first.retry_after
    return error


def raise_failures(results: AccountResults, *, skips: bool = False) -> None:
    """Raise what the failed accounts call for; return where all are done, or the failed ones are to be skipped.

    An account that is not whole counts as failed here. One failed account raises its own error. Several raise one error
    that names them: a retriable one if a retry can help any of them.

    :param skips: let the task succeed as long as one account answered.

    :raises InsightsError: as described.
    """
    failed = {name: describe_open(name, questions) for name, questions in results.unanswered.items()}
    failed |= results.failed
    if not failed or (skips and results.done):
        return
    if len(failed) == 1 and not results.done:
        raise next(iter(failed.values()))
    raise combine(failed, len(failed) + len(results.done))


def combine(failed: Mapping[str, InsightsError], of: int) -> InsightsError:
    """Return one error for several failed accounts, of the kind that decides: retriable before fatal."""
    # A retry that helps one account does no harm to the others, which then fail on their own.
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


@contextmanager
def failing_without_retry() -> Iterator[None]:
    """Raise the errors of the block that no retry can help in a form that Airflow does not retry."""
    try:
        yield
    except (ConfigurationError, FatalGraphError) as error:
        fail_without_retry(error)


def fail_without_retry(error: InsightsError) -> NoReturn:
    """Raise the error in a form that Airflow does not retry, and that ``except`` still knows by its class."""
    from airflow_provider_iginsights.task.errors_without_retry import WITHOUT_RETRY

    # In place of the error, with its traceback and cause: chained to it, Airflow's log would show everything twice.
    same = WITHOUT_RETRY[type(error)](error.message, facts=error.facts)
    raise same.with_traceback(error.__traceback__) from error.__cause__
