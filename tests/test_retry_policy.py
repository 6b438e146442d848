"""The retry policy: what it decides for each error, and that Airflow's own machinery takes it."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta

import pytest

from airflow_provider_iginsights import _compat, errors, retry_policy
from tests.support.airflow_versions import needs, offers

pytestmark = needs("retry policies")

SECRETLESS = "Something happened. Do something."


def decide(error: BaseException, *, try_number: int = 1, **options):
    """Return what the policy decides for one failure."""
    policy = retry_policy.InsightsRetryPolicy(**options)
    return policy.evaluate(error, try_number=try_number, max_tries=5)


@pytest.mark.parametrize(
    "kind",
    [
        errors.TokenExpired,
        errors.PermissionMissing,
        errors.AccountUnavailable,
        errors.PolicyBlocked,
        errors.ConfigurationError,
        errors.IncompatibleTable,
        errors.DatasetUnavailable,
    ],
)
def test_fails_at_once_where_somebody_has_to_act(kind):
    """No retry cures these, so none is spent; the reason names the error."""
    decision = decide(kind(SECRETLESS))
    assert decision.action is _compat.RetryAction.FAIL
    assert decision.reason == f"{kind.__name__}: {SECRETLESS}"


@pytest.mark.parametrize("error", [errors.LoadError("No."), errors.RowRefused("No."), ValueError("No."), OSError()])
def test_leaves_everything_else_to_the_task(error):
    """Errors that the policy knows nothing about take the task's own retries and delay."""
    assert decide(error) == _compat.RetryDecision.default()


@pytest.mark.parametrize(
    ("error", "try_number", "seconds"),
    [
        (errors.Throttled("Wait.", retry_after=1260), 1, 1260),
        (errors.Throttled("Wait.", retry_after=7200), 4, 7200),
        (errors.Throttled("Wait."), 1, 900),
        (errors.ServerTrouble("Wait.", retry_after=5), 3, 5),
        (errors.ServerTrouble("Wait."), 1, 60),
        (errors.BrokenResponse("Wait."), 2, 120),
        (errors.ServerTrouble("Wait."), 3, 240),
        (errors.ServerTrouble("Wait."), 9, 1800),
        (errors.ServerTrouble("Wait."), 10_000, 1800),
    ],
)
def test_waits_before_a_retry(error, try_number, seconds):
    """A throttled task waits as long as Meta says, an error of the server doubles the delay up to its bound."""
    decision = decide(error, try_number=try_number, jitter=0)
    reschedules = isinstance(error, errors.Throttled) and offers("3.4")
    assert decision.action.value == ("reschedule" if reschedules else "retry")
    assert decision.retry_delay == timedelta(seconds=seconds)


@needs("policies that reschedule")
def test_a_rate_limit_uses_no_retry_for_six_hours():
    """A throttled task is rescheduled within a bound, after which the task's own retries decide."""
    assert decide(errors.Throttled("Wait.")).reschedule_timeout == timedelta(hours=6)
    assert decide(errors.Throttled("Wait."), throttle_timeout=60).reschedule_timeout == timedelta(minutes=1)
    assert decide(errors.ServerTrouble("Wait.")).reschedule_timeout is None


@needs("policies that reschedule")
@pytest.mark.parametrize("is_first", [True, False])
def test_goes_together_with_the_policy_of_a_user(is_first):
    """In a chain each of two policies decides what it knows, in either order; the reason names ours."""
    from airflow.sdk import ChainRetryPolicy, ExceptionRetryPolicy

    theirs = ExceptionRetryPolicy([_compat.RetryRule(KeyError, action=_compat.RetryAction.FAIL)])
    policies = [retry_policy.default_retry_policy(), theirs]
    chain = ChainRetryPolicy(policies if is_first else policies[::-1])
    throttled = chain.evaluate(errors.Throttled("Wait."), 1, 5)
    assert throttled.action is _compat.RetryAction.RESCHEDULE
    assert throttled.reschedule_timeout == timedelta(hours=6)
    assert "InsightsRetryPolicy: Throttled: Wait." in throttled.reason
    assert chain.evaluate(errors.TokenExpired("No."), 1, 5).action is _compat.RetryAction.FAIL
    assert chain.evaluate(KeyError("x"), 1, 5).action is _compat.RetryAction.FAIL
    assert chain.evaluate(ValueError("x"), 1, 5).action is _compat.RetryAction.DEFAULT


def test_jitter_only_adds():
    """Tasks that failed together come back apart, none of them before the time that Meta named."""
    delays = {decide(errors.Throttled("Wait.", retry_after=600)).retry_delay for _ in range(50)}
    assert len(delays) > 1
    assert timedelta(seconds=600) <= min(delays)
    assert max(delays) <= timedelta(seconds=660)


def test_survives_serialization():
    """The policy comes back equal from its JSON form and from a pickle."""
    policy = retry_policy.InsightsRetryPolicy(first_delay=5)
    assert retry_policy.InsightsRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_goes_through_dag_serialization():
    """A Dag with the policy, also in default_args and on a mapped task, is stored, with the word that it has one."""
    from airflow.serialization.serialized_objects import DagSerialization

    from airflow_provider_iginsights._compat import DAG, BaseOperator, task

    policy = retry_policy.default_retry_policy()
    with DAG("policy", schedule=None, default_args={"retry_policy": policy}) as dag:
        BaseOperator(task_id="plain")
        task(task_id="mapped", retry_policy=policy)(decide).expand(error=["a", "b"])
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert stored.get_task("plain").has_retry_policy
    assert stored.get_task("mapped").has_retry_policy


def test_older_airflow_gets_a_clear_error(monkeypatch):
    """Where Airflow has no retry policies, asking for one says which version has them."""
    monkeypatch.setattr(retry_policy, "RetryPolicy", object)
    with pytest.raises(errors.ConfigurationError, match=r"Airflow 3\.3 or newer"):
        retry_policy.default_retry_policy()
