"""Rate limits: what Meta's usage headers say and what follows for the next call."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_provider_iginsights.errors import Throttled
from airflow_provider_iginsights.graph.rate_limit import DEFAULT_BLOCK, RateLimiter, Usage, read_app_usage, read_usage

META_SAMPLE = (
    '{"645699291956344":[{"type":"instagram","call_count":1,"total_cputime":1,"total_time":1,'
    '"estimated_time_to_regain_access":0}],"17841472020051826":[{"type":"instagram","call_count":1,'
    '"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":0}]}'
)


def usage_of(account_id: str, percent: float, minutes: float = 0) -> dict[str, str]:
    """Return headers that report one reading for an account."""
    entry = {"type": "instagram", "call_count": percent, "total_time": 1, "estimated_time_to_regain_access": minutes}
    return {"x-business-use-case-usage": json.dumps({account_id: [entry]})}


@pytest.fixture
def rate_limiter(moment: list[float]) -> RateLimiter:
    """Return a limiter that slows down above 80 percent, by 60 seconds at most."""
    return RateLimiter(threshold=80, max_pause=60, clock=lambda: moment[0])


@pytest.mark.parametrize(
    ("header", "readings"),
    [
        (META_SAMPLE, [Usage("645699291956344", 1, 0), Usage("17841472020051826", 1, 0)]),
        (
            '{"1":[{"type":"instagram","call_count":2,"total_cputime":70,"total_time":3}]}',
            [Usage("1", 70, 0)],
        ),
        (
            '{"1":[{"type":"pages","call_count":99},'
            '{"type":"instagram","call_count":5,"estimated_time_to_regain_access":7}]}',
            [Usage("1", 5, 7)],
        ),
        (
            '{"1":[{"type":"instagram","call_count":90}],"1":[{"type":"instagram","call_count":5}]}',
            [Usage("1", 90, 0), Usage("1", 5, 0)],
        ),
        ('{"1":[{"type":"instagram","call_count":"many"}]}', [Usage("1", 0, 0)]),
        ("{}", []),
        ("not json", []),
        ("[1, 2]", []),
        ('"x"', []),
        ('{"1":[3, null, [4]],"2":7}', []),
        ('{"1":[{"type":"instagram","call_count":"95"}]}', [Usage("1", 95, 0)]),
        ('{"1":[{"type":"instagram","call_count":-5,"estimated_time_to_regain_access":-1}]}', [Usage("1", 0, 0)]),
        ('{"1":[{"type":"instagram","call_count":true,"total_time":[9]}]}', [Usage("1", 0, 0)]),
        ('{"1":[{"type":"instagram","call_count":5,"estimated_time_to_regain_access":1e18}]}', [Usage("1", 5, 10080)]),
        ('{"1":[{"type":"instagram","call_count":NaN}]}', []),
        ('{"1":[{"type":"instagram","call_count":1e999}]}', []),
        ('{"1":[{"type":"instagram","call_count":' + "9" * 400 + "}]}", [Usage("1", 0, 0)]),
        ('{"1":[{"type":"instagram","call_count":' + "9" * 5000 + "}]}", []),
        ("[" * 100_000, []),
        ('{"1":' * 100_000, []),
    ],
)
def test_reads_the_business_header(header: str, readings: list[Usage]) -> None:
    """Each Instagram entry of each key is a reading, a key that comes twice is two; what is no reading is left out."""
    assert read_usage({"x-business-use-case-usage": header}) == tuple(readings)


def test_reads_the_app_header() -> None:
    """The app's own header gives one reading, its highest counter; without it there is none."""
    assert read_app_usage({"x-app-usage": '{"call_count":28,"total_time":95,"total_cputime":25}'}) == (
        Usage("", 95, 0),
    )
    assert read_app_usage({}) == ()


def test_the_app_s_usage_is_taken_once_and_from_answers_about_accounts(rate_limiter: RateLimiter) -> None:
    """The highest reading since the last time counts; that of a call about no account does not."""
    for percent, account_id in ((99, None), (30, "1"), (85, "2"), (40, "1")):
        rate_limiter.record_usage({"x-app-usage": json.dumps({"call_count": percent})}, account_id)
    rate_limiter.record_usage(usage_of("1", 95), "1")
    assert (rate_limiter.take_app_usage(), rate_limiter.take_app_usage()) == (85, 0)


@pytest.mark.parametrize(("percent", "pause"), [(0, 0), (80, 0), (85, 15), (90, 30), (99, 57)])
def test_the_pause_grows_with_usage(rate_limiter: RateLimiter, percent: float, pause: float) -> None:
    """Above the threshold each call waits in proportion to what is left, below not at all."""
    rate_limiter.record_usage(usage_of("1", percent), "1")
    assert rate_limiter.find_pause("1") == pytest.approx(pause)
    assert rate_limiter.find_pause("2") == 0


def test_time_that_passed_is_not_waited_again(rate_limiter: RateLimiter, moment: list[float]) -> None:
    """The pause counts from the reading, so a slow caller does not wait twice."""
    rate_limiter.record_usage(usage_of("1", 90), "1")
    moment[0] += 20
    assert rate_limiter.find_pause("1") == pytest.approx(10)
    moment[0] += 20
    assert rate_limiter.find_pause("1") == 0


def test_an_account_feels_its_business(rate_limiter: RateLimiter) -> None:
    """A reading that comes under the business's key alone slows the account that was asked for."""
    rate_limiter.record_usage(usage_of("645699291956344", 90), "1")
    assert rate_limiter.find_pause("1") == pytest.approx(30)


@pytest.mark.parametrize(("percent", "minutes", "seconds"), [(3, 12, 720), (100, 0, DEFAULT_BLOCK), (120, 2, 120)])
def test_a_used_up_account_is_blocked(
    rate_limiter: RateLimiter, moment: list[float], percent: float, minutes: float, seconds: float
) -> None:
    """At 100 percent, or with minutes named, the account is refused at once until they are over; others go on."""
    rate_limiter.record_usage(usage_of("1", percent, minutes), "1")
    with pytest.raises(Throttled, match=f"account 1 .* again in {seconds / 60:.0f} minutes") as caught:
        rate_limiter.find_pause("1")
    assert caught.value.retry_after == seconds
    assert rate_limiter.find_pause("2") == 0
    moment[0] += seconds - 1
    with pytest.raises(Throttled) as caught:
        rate_limiter.find_pause("1")
    assert caught.value.retry_after == pytest.approx(1)
    moment[0] += 1
    assert rate_limiter.find_pause("1") == 0


def test_a_shorter_block_does_not_lift_a_longer_one(rate_limiter: RateLimiter) -> None:
    """Of several blocks the one that ends last holds."""
    rate_limiter.block("1", 500)
    rate_limiter.block("1", 10)
    with pytest.raises(Throttled) as caught:
        rate_limiter.find_pause("1")
    assert caught.value.retry_after == 500


def test_a_block_keeps_the_code_that_it_began_with(rate_limiter: RateLimiter, moment: list[float]) -> None:
    """A call that is not sent fails with Meta's code, so whoever reads it knows whose limit it is; until it is over."""
    codes: list[int | None] = []
    for seconds, code, passed in ((500, 4, 0), (900, None, 1000), (60, None, 61), (60, 80002, 0)):
        rate_limiter.block("1", seconds, code=code)
        with pytest.raises(Throttled) as caught:
            rate_limiter.find_pause("1")
        codes.append(caught.value.facts.code)
        moment[0] += passed
    assert codes == [4, 4, None, 80002]


@pytest.mark.parametrize(
    "record_usage",
    [
        lambda rate_limiter: rate_limiter.record_usage({"x-app-usage": '{"call_count":90}'}),
        lambda rate_limiter: rate_limiter.record_usage({"x-app-usage": '{"call_count":90}'} | usage_of("1", 10), None),
    ],
)
def test_calls_without_account_keep_to_the_app_limit(
    rate_limiter: RateLimiter, record_usage: Callable[[RateLimiter], None]
) -> None:
    """Calls that concern no account are paced by the app's header, and do not slow accounts down."""
    record_usage(rate_limiter)
    assert rate_limiter.find_pause(None) == pytest.approx(30)
    assert rate_limiter.find_pause("1") == 0


def test_an_account_without_business_header_keeps_to_the_app_limit(rate_limiter: RateLimiter) -> None:
    """An answer about an account that carries only the app's header, as with Instagram Login, paces the account."""
    rate_limiter.record_usage({"x-app-usage": '{"call_count":90}'}, "1")
    assert rate_limiter.find_pause("1") == pytest.approx(30)
    assert rate_limiter.find_pause("2") == 0


@pytest.mark.parametrize("percent", [100, 130])
def test_an_app_limit_that_is_used_up_blocks_the_account(rate_limiter: RateLimiter, percent: int) -> None:
    """At 100 percent of the app's limit the account is not asked until the limit's window is over."""
    rate_limiter.record_usage({"x-app-usage": f'{{"call_count":1,"total_time":{percent}}}'}, "1")
    with pytest.raises(Throttled, match="account 1") as caught:
        rate_limiter.find_pause("1")
    assert caught.value.retry_after == DEFAULT_BLOCK


def test_the_business_header_says_more_than_the_apps(rate_limiter: RateLimiter) -> None:
    """Where both are there, the account keeps to its own."""
    rate_limiter.record_usage({"x-app-usage": '{"call_count":99}'} | usage_of("1", 85), "1")
    assert rate_limiter.find_pause("1") == pytest.approx(15)
