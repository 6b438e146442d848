"""Errors of Meta's servers: retried, set aside, asked again at the end; no metric is refused and no account skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_iginsights.catalog.plan import InsightsQuery, plan_account
from airflow_provider_iginsights.errors import BrokenResponse, InsightsError, ServerTrouble
from airflow_provider_iginsights.extract.account_pool import AccountPool
from airflow_provider_iginsights.extract.circuit_breaker import MIN_FAILURES, CircuitBreaker
from airflow_provider_iginsights.extract.unanswered import describe_query, select_unanswered
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, GraphSandbox, HtmlBody, World
from airflow_provider_iginsights.sandbox.graph.api import GraphAnswer, HttpRequest
from tests.support.readers import ACCOUNT_KEY, MEDIA_KEY, NOW, Numbers, Readers, by_key, numbers_of, truth_of

SERVER_ERROR = ErrorEffect(1, http=500, message="An unknown error has occurred.", is_transient=True)
Result = GraphAnswer | InsightsError
Work = Callable[[HttpRequest], bool]


@contextmanager
def open_slow_readers(world: World) -> Iterator[tuple[Readers, list[float]]]:
    """Connect a client with its own bounds, whose pauses only move its clock: the second value, in seconds."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    with GraphSandbox(world) as sandbox:
        settings = GraphSettings(token=world.system_user_token, base_url=sandbox.url)
        with GraphClient(settings, sleep=sleep, clock=lambda: passed[0]) as client:
            yield Readers(sandbox, client), passed


def fail_requests(readers: Readers, monkeypatch: pytest.MonkeyPatch, strikes: Work) -> None:
    """Let Meta's servers fail on the requests that ``strikes`` chooses."""
    answer = readers.sandbox._api.answer

    def fail(request: HttpRequest, work: Callable[..., object] | None = None) -> GraphAnswer:
        if strikes(request):
            error = SERVER_ERROR.error()
            return GraphAnswer(status=error.kind.http, body=error.body("A1"))
        return answer(request, work)

    monkeypatch.setattr(readers.sandbox._api, "answer", fail)


def read_accounts(readers: Readers, *, workers: int = 1) -> tuple[AccountPool, Numbers]:
    """Read all accounts' insights of the last day."""
    pool = AccountPool(readers.open_source().read_accounts(lookback_days=0, profiles=True), workers=workers)
    return pool, numbers_of(pool.read([account.id for account in readers.accounts]), ACCOUNT_KEY)


@pytest.mark.parametrize("seconds", [30, 55, 90])
def test_no_number_is_lost_to_a_short_outage(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Code 1 on every request with a breakdown, while the first of ten accounts are read: all ten are whole."""
    with open_slow_readers(World.build(accounts=10, media_per_account=0, now=NOW)) as (readers, passed):
        _, whole = read_accounts(readers)
        fail_requests(readers, monkeypatch, lambda request: "breakdown" in request.params and passed[0] < seconds)
        pool, found = read_accounts(readers)
        assert found == whole
        assert len(pool.results.done) == 10
        assert pool.results.unanswered == pool.results.failed == readers.left_out == {}


def test_a_lasting_error_is_paid_for_by_three_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never answers costs three accounts all their tries, at first and again; the others one each, never none."""
    with open_slow_readers(World.build(accounts=10, media_per_account=0, now=NOW)) as (readers, passed):
        _, whole = read_accounts(readers)
        asked: list[str] = []

        def strikes(request: HttpRequest) -> bool:
            is_struck = request.params.get("breakdown") == "age"
            if is_struck:
                asked.append(request.path.split("/")[-2])
            return is_struck

        fail_requests(readers, monkeypatch, strikes)
        pool, found = read_accounts(readers)
        assert found == {key: value for key, value in whole.items() if key[4] != "age"}
        assert set(pool.results.unanswered) == {account.id for account in readers.accounts}
        assert pool.results.failed == readers.left_out == {}
        assert 6 * 60 <= passed[0] <= 6 * 120
        questions = {question.what for each in pool.results.unanswered.values() for question in each}
        assert all("by age" in what for what in questions)
        plan = plan_account(None, None, version="v25.0", login="facebook")
        groups = [query for query in plan.snapshots if query.breakdown == "age"]
        for account in readers.accounts[MIN_FAILURES:]:
            assert asked.count(account.id) == len(groups) + sum(len(group.names) for group in groups)


def test_what_answers_once_more_is_patiently_asked_again() -> None:
    """After three accounts one try is enough; an answer of any account ends that."""
    breaker = CircuitBreaker()
    for account in ("1", "2", "3"):
        assert not breaker.open_account("9").is_open("q")
        breaker.open_account(account).record_failure("q")
    assert breaker.open_account("9").is_open("q")
    assert not breaker.open_account("9").is_open("another")
    assert not breaker.open_account("9", is_repeat=True).is_open("q")
    breaker.open_account("4").record_success("q")
    assert not breaker.open_account("9").is_open("q")


def test_three_objects_of_one_account() -> None:
    """Within an account three objects are enough, and an answer about a fourth does not make the others sound."""
    breaker = CircuitBreaker().open_account("1")
    for _ in range(MIN_FAILURES):
        assert not breaker.is_open("q")
        breaker.record_failure("q")
    breaker.record_success("q")
    assert breaker.is_open("q")


def test_many_failing_posts_cost_the_tries_of_one_batch() -> None:
    """Of 300 posts whose servers always fail, one batch is retried at first, and one at the end."""
    with open_slow_readers(World.build(accounts=1, media_per_account=300, now=NOW)) as (readers, passed):
        whole = truth_of(readers)
        readers.sandbox.faults.add(GraphFault(effect=SERVER_ERROR, path="/insights$", times=None))
        pool = AccountPool(readers.open_source().read_media(refresh_days=None), workers=1)
        found = numbers_of(pool.read([readers.accounts[0].id]), MEDIA_KEY)
        assert found
        assert found.items() < whole.items()
        missing = {key[0] for key in whole if key not in found}
        assert {question.whom for question in pool.results.unanswered[readers.accounts[0].id]} == {
            f"media {media_id}" for media_id in missing
        }
        assert passed[0] <= 2 * 2 * 120


@pytest.mark.parametrize("path", ["/media$", "^/$"])
def test_an_error_of_a_whole_page_or_batch(path: str) -> None:
    """A page, or a batch as a whole, that fails in the middle of a listing is made up for at the end, once."""
    with open_slow_readers(World.build(accounts=1, media_per_account=250, now=NOW)) as (readers, _):
        whole = truth_of(readers)
        readers.sandbox.faults.add(GraphFault(effect=HtmlBody(502), path=path, skip=1, times=15))
        pool = AccountPool(readers.open_source().read_media(refresh_days=None), workers=1)
        rows = list(pool.read([readers.accounts[0].id]))
        assert numbers_of(rows, MEDIA_KEY) == whole
        by_key([{**row, "value": 0} for table, row in rows if table == "media"], ("media_id",))
        assert sum(table == "media" for table, _ in rows) == 250
        assert pool.results.done == [readers.accounts[0].id]


def test_an_account_without_any_answer_fails_by_its_own_error() -> None:
    """It is asked again at the end as a whole; then it has failed, and its sisters are done."""
    with open_slow_readers(World.build(accounts=3, media_per_account=5, now=NOW)) as (readers, _):
        bad = readers.accounts[1].id
        readers.sandbox.faults.add(GraphFault(effect=SERVER_ERROR, path=f"{bad}/media", times=None))
        pool = AccountPool(readers.open_source().read_media(refresh_days=None), workers=1)
        list(pool.read([account.id for account in readers.accounts]))
        assert sorted(pool.results.done) == sorted(account.id for account in readers.accounts if account.id != bad)
        assert {key: type(error) for key, error in pool.results.failed.items()} == {bad: ServerTrouble}
        assert pool.results.unanswered == {}


def test_stories_go_on_with_the_same_poll() -> None:
    """A story that is asked again belongs to the poll that saw it: same hour, one poll, every number once."""
    world = World.build(accounts=1, media_per_account=0, stories_per_account=5, now=NOW)
    with open_slow_readers(world) as (readers, _):
        whole = readers.read_stories()
        story = readers.world.stories_of(readers.accounts[0].id, NOW)[2]
        readers.sandbox.faults.add(GraphFault(effect=SERVER_ERROR, path=f"{story.id}/insights", times=7))
        pool = AccountPool(readers.open_source().read_stories(), workers=1)
        rows = [row for table, row in pool.read([readers.accounts[0].id]) if table == "story_insights"]
        assert by_key(rows, MEDIA_KEY) == whole
        assert len({row["snapshot_at"] for row in rows}) == 1


def queries() -> list[InsightsQuery]:
    """Return everything that is asked of an account."""
    plan = plan_account("all", None, version="v25.0", login="facebook")
    return [*plan.series, *plan.totals, *plan.snapshots]


def test_an_open_question_finds_its_query_again() -> None:
    """Whatever part of a plan's query stays open, that part is selected from the plan, and nothing else."""
    everything = queries()
    for query in everything:
        for part in query.split():
            selected = [found for other in everything for found in select_unanswered(other, [describe_query(part)])]
            assert [(found.names, found.breakdown) for found in selected] == [(part.names, part.breakdown)]


def test_a_total_that_was_asked_alone_is_found_again() -> None:
    """The total of a metric whose breakdown is refused is a question of its own, which no plan holds as such."""
    found = 0
    for query in queries():
        if totals := query.of_totals(query.names):
            selected = [part for other in queries() for part in select_unanswered(other, [describe_query(totals)])]
            assert [(part.names, part.breakdown) for part in selected] == [((name,), "") for name in totals.names]
            found += 1
    assert found


def test_one_metric_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that never answers is asked alone at the end: what was asked with it is answered then."""
    with open_slow_readers(World.build(accounts=1, media_per_account=0, now=NOW)) as (readers, _):
        _, whole = read_accounts(readers)
        fail_requests(readers, monkeypatch, lambda request: "replies" in request.params.get("metric", "").split(","))
        pool, found = read_accounts(readers)
        assert found == {key: value for key, value in whole.items() if key[1] != "replies"}
        [questions] = pool.results.unanswered.values()
        assert {name for question in questions for name in question.repeat["metrics"]} == {"replies"}


class Miscounting:
    """A client whose batches hold more or fewer results than questions."""

    def __init__(self, client: GraphClient, *, surplus: int) -> None:
        self.settings = client.settings
        self._client, self._surplus = client, surplus

    def batch(self, requests: Iterable[GraphRequest], *, account_id: str) -> Iterator[Result]:
        """Yield too many or too few results."""
        results = list(self._client.batch(requests, account_id=account_id))
        yield from (*results, *results[: self._surplus]) if self._surplus > 0 else results[: self._surplus]


@pytest.mark.parametrize("surplus", [3, -1])
def test_a_batch_of_another_length(surplus: int) -> None:
    """Answers that nobody asked for are left lying; questions without an answer stay open."""
    with open_slow_readers(World.build(accounts=1, media_per_account=0, now=NOW)) as (readers, _):
        _, whole = read_accounts(readers)
        readers.client = Miscounting(readers.client, surplus=surplus)  # type: ignore[assignment]
        pool = AccountPool(readers.open_source().read_accounts(lookback_days=0, profiles=False), workers=1)
        found = numbers_of(pool.read([readers.accounts[0].id]), ACCOUNT_KEY)
        if surplus > 0:
            assert (found, pool.results.unanswered) == (whole, {})
        else:
            assert found.items() < whole.items()
            [questions] = pool.results.unanswered.values()
            assert {type(question.error) for question in questions} == {BrokenResponse}


@pytest.mark.parametrize("kind", ["account", "media", "story"])
def test_an_outage_is_waited_for_by_three_accounts(kind: str) -> None:
    """Where nothing answers at all, twelve accounts cost hardly more waiting than three; each is tried, twice."""
    waited = []
    for count in (3, 12):
        with open_slow_readers(World.build(accounts=count, media_per_account=3, now=NOW)) as (readers, passed):
            readers.sandbox.faults.add(GraphFault(effect=HtmlBody(502), times=None))
            source = readers.open_source()
            kinds = {
                "account": source.read_accounts(lookback_days=3, profiles=True),
                "media": source.read_media(refresh_days=None),
                "story": source.read_stories(),
            }
            pool = AccountPool(kinds[kind], workers=1)
            assert list(pool.read([account.id for account in readers.accounts])) == []
            assert len(pool.results.failed) == count
            assert readers.http >= 2 * count
            waited.append(passed[0])
    assert waited[1] <= 1.2 * waited[0]
