"""The errors: every one crosses a process boundary whole, and can be built again from its name and its message."""

from __future__ import annotations

import pickle

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import (
    ConfigurationError,
    FatalGraphError,
    GraphFacts,
    InsightsError,
    RetriableGraphError,
    Throttled,
)
from airflow_provider_iginsights.task.errors_without_retry import WITHOUT_RETRY
from airflow_provider_iginsights.task.failures import fail_without_retry

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InsightsError)),
    key=lambda kind: kind.__name__,
)
FACTS = GraphFacts(asked="GET 1/insights", http_status=400, code=100, subcode=33, fbtrace_id="A1b2", said="gone")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_processes(kind: type[InsightsError]) -> None:
    """Pickling keeps the leaf, the message, the facts, and the seconds to wait where there are any."""
    more = {"retry_after": 7.0} if issubclass(kind, RetriableGraphError) else {}
    error = kind("It broke.", facts=FACTS, **more)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.message, copy.facts, vars(copy)) == ("It broke.", FACTS, vars(error))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_built_again_by_name(kind: type[InsightsError]) -> None:
    """A task that carries its progress over a retry keeps names and messages: every name is found in ``errors``."""
    error = getattr(errors, kind.__name__)("It broke.")
    assert type(error) is kind
    assert str(error) == "It broke."


def test_no_error_stands_elsewhere() -> None:
    """Every error that any module of the package defines stands in ``errors``, so that its name can be looked up."""
    import airflow_provider_iginsights.graph.error_codes
    import airflow_provider_iginsights.hooks.bigquery
    import airflow_provider_iginsights.transfers.instagram_to_bigquery  # noqa: F401

    def descend(kind: type[InsightsError]) -> set[str]:
        return {kind.__name__}.union(*map(descend, kind.__subclasses__()))

    not_retried = {kind.__name__ for kind in WITHOUT_RETRY.values()}
    assert descend(InsightsError) - not_retried == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", WITHOUT_RETRY)
def test_an_error_that_is_not_retried_crosses_processes(kind: type[InsightsError]) -> None:
    """What fails a task without a retry is its kind in another process too, whole, and still Airflow's exception."""
    with pytest.raises(kind) as caught:
        fail_without_retry(kind("It broke.", facts=FACTS))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, kind)
    assert isinstance(copy, AirflowFailException)
    assert (type(copy), copy.message, copy.facts) == (type(caught.value), "It broke.", FACTS)


def test_every_error_that_no_retry_helps_has_its_class() -> None:
    """A class stands for each configuration and fatal error, and for a rate limit that stays closed; for no other."""
    no_retry = (ConfigurationError, FatalGraphError, Throttled)
    assert {kind for kind in KINDS if issubclass(kind, no_retry)} == set(WITHOUT_RETRY)


def test_the_docstring_names_every_error() -> None:
    """The tree at the top of the module is complete."""
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in errors.__doc__] == []
