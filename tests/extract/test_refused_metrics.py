"""One bad metric or object costs nobody else's number: what arrives beside a refusal, what it costs, what is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_iginsights.catalog.plan import InsightsQuery, plan_account
from airflow_provider_iginsights.errors import (
    GraphFacts,
    MetricRefused,
)
from airflow_provider_iginsights.extract.refused_metrics import (
    MIN_REFUSING_ACCOUNTS,
    RefusedMetrics,
    find_named_metrics,
)
from airflow_provider_iginsights.sandbox.graph import (
    DeleteObject,
    GraphFault,
    NullItem,
    World,
)
from tests.support.readers import CORE, NOW, Numbers, Readers, middle_post, open_readers, refuse, truth_of
from tests.support.readers import REFUSED as IN_ENGLISH

ENUM = "(#100) metric[{}] must be one of the following values: impressions, reach, replies, saved, likes, views"
IN_GERMAN = "(#100) Die Metrik reposts wird für diesen Medientyp nicht unterstützt."
IN_JAPANESE = "(#100) このメディアタイプではrepostsメトリクスはサポートされていません。"
WITHOUT_NAME = "(#100) この指標はサポートされていません。"


def without(numbers: Numbers, *, media: str | None = None, metric: str | None = None) -> Numbers:
    """Return the numbers less those of one media, of one metric, or of one metric of one media."""
    return {key: value for key, value in numbers.items() if not (media in (None, key[0]) and metric in (None, key[1]))}


def too_old(readers: Readers) -> str:
    """Let a post be older than the business account."""
    readers.world.put(replace(middle_post(readers), before_business=True))
    return "MediaTooOld"


def hidden(readers: Readers) -> str:
    """Let a post be listed but not readable."""
    readers.world.put(replace(middle_post(readers), hidden=True))
    return "ObjectGone"


def forbidden(readers: Readers) -> str:
    """Let one post lack a permission."""
    message = "(#10) Application does not have permission for this action"
    refuse(readers, message, code=10, object_id=middle_post(readers).id)
    return "PermissionMissing"


def deleted(readers: Readers) -> str:
    """Let a post vanish right after it was listed."""
    vanishes = DeleteObject(middle_post(readers).id)
    readers.sandbox.faults.add(GraphFault(effect=vanishes, path="/media$", times=1))
    return "ObjectGone"


@pytest.mark.parametrize("metrics", [None, CORE], ids=["default", "core"])
@pytest.mark.parametrize("spoil", [too_old, hidden, forbidden])
def test_one_odd_post(spoil: Callable[[Readers], str], metrics: object) -> None:
    """One post that refuses everything costs its page 3 requests at most, and the other 99 posts nothing."""
    with open_readers() as readers:
        whole, post = truth_of(readers, metrics=metrics), middle_post(readers)
        kind = spoil(readers)
        assert readers.read_media(metrics) == without(whole, media=post.id)
        assert readers.http <= (3 if metrics is None else 1) + 3
        assert list(readers.left_out) == [("insights", kind)]
        assert readers.left_out["insights", kind]["whom"] == [f"media {post.id}"]


def test_a_post_that_is_deleted_under_way() -> None:
    """A post that vanishes between the listing and the batches keeps what the listing said of it."""
    with open_readers() as readers:
        whole, post = truth_of(readers), middle_post(readers)
        kind = deleted(readers)
        rest = {key: value for key, value in whole.items() if not (key[0] == post.id and key[1] not in CORE)}
        assert readers.read_media() == rest
        assert list(readers.left_out) == [("insights", kind)]
        assert readers.http == 3


def test_a_null_item() -> None:
    """An item that Meta did not get to in a batch is asked again."""
    with open_readers() as readers:
        readers.sandbox.faults.add(GraphFault(effect=NullItem(), path=f"{middle_post(readers).id}/insights", times=1))
        assert readers.read_media() == truth_of(readers)
        assert readers.http == 4
        assert readers.left_out == {}


@pytest.mark.parametrize("metrics", [None, CORE], ids=["default", "core"])
@pytest.mark.parametrize("message", [IN_ENGLISH, IN_GERMAN, IN_JAPANESE, WITHOUT_NAME, ENUM.format(7)])
def test_a_metric_that_one_product_type_refuses(message: str, metrics: object) -> None:
    """Only that metric of that product type is missing, in whatever language it is refused; it is named once."""
    with open_readers() as readers:
        whole = truth_of(readers, metrics=metrics)
        reels = {post.id for post in readers.posts if post.media_product_type == "REELS"}
        refuse(readers, message, metric="reposts", product_type="REELS")
        read = readers.read_media(metrics)
        assert read == {key: value for key, value in whole.items() if key[0] not in reels or key[1] != "reposts"}
        assert readers.http <= (3 if metrics is None else 1) + 3
        assert list(readers.left_out) == [("reposts", "MetricRefused")]
        assert readers.left_out["reposts", "MetricRefused"]["count"] == len(reels)


@pytest.mark.parametrize("message", [IN_ENGLISH, WITHOUT_NAME])
def test_a_metric_that_all_refuse(message: str) -> None:
    """A metric that no post answers is left out; all others arrive."""
    with open_readers() as readers:
        refuse(readers, message, metric="reposts")
        assert readers.read_media() == without(truth_of(readers), metric="reposts")
        assert readers.http <= 3 + 2 * 3
        assert readers.left_out["reposts", "MetricRefused"]["count"] == len(readers.posts)


@pytest.mark.parametrize("message", [IN_ENGLISH, WITHOUT_NAME])
def test_a_metric_that_one_post_refuses(message: str) -> None:
    """One post's refusal of one metric does not take the metric from others of its product type."""
    with open_readers() as readers:
        post = middle_post(readers)
        refuse(readers, message, metric="reposts", object_id=post.id)
        assert readers.read_media() == without(truth_of(readers), media=post.id, metric="reposts")
        assert readers.left_out["reposts", "MetricRefused"]["whom"] == [f"media {post.id}"]


def test_two_refusals_on_one_page() -> None:
    """A page with an old post and a refused metric still gives everything else."""
    with open_readers() as readers:
        whole, post = truth_of(readers), middle_post(readers)
        too_old(readers)
        refuse(readers, IN_ENGLISH, metric="reposts", product_type="REELS")
        reels = {post.id for post in readers.posts if post.media_product_type == "REELS"}
        rest = without(whole, media=post.id)
        assert readers.read_media() == {
            key: value for key, value in rest.items() if key[0] not in reels or key[1] != "reposts"
        }
        assert set(readers.left_out) == {("insights", "MediaTooOld"), ("reposts", "MetricRefused")}


def test_media_that_is_not_on_facebook() -> None:
    """What only media shared to Facebook have (-1/2207086) arrives for those that are, on every page."""
    world = World.build(accounts=1, media_per_account=130, now=NOW)
    with open_readers(world) as readers:
        # Nobody on the first page is on Facebook: that says nothing about the second.
        for post in readers.posts[:100]:
            world.put(replace(post, shared_to_facebook=False))
        assert readers.read_media("all") == truth_of(readers, metrics="all")
        assert ("facebook_views", "MetricRefused") in readers.left_out


@pytest.mark.parametrize("metric", ["reach", "follows"])
def test_fatal_for_one_post(metric: str) -> None:
    """A -1/2207086 of one post and metric leaves out just that."""
    with open_readers() as readers:
        post = middle_post(readers)
        refuse(readers, "Fatal", code=-1, subcode=2207086, metric=metric, object_id=post.id)
        assert readers.read_media() == without(truth_of(readers), media=post.id, metric=metric)
        assert readers.http <= 3 + 3
        assert readers.left_out[metric, "MetricRefused"]["whom"] == [f"media {post.id}"]


def test_learning_serves_the_pages_after() -> None:
    """What a product type refuses is not asked again on later pages, which carry the other metrics as before."""
    with open_readers(World.build(accounts=1, media_per_account=400, now=NOW)) as readers:
        refuse(readers, metric="reposts")
        assert readers.read_media(CORE) == without(truth_of(readers, metrics=CORE), metric="reposts")
        first, later = readers.http - 3, readers.sandbox.log[-3:]
        assert first <= 1 + 2 * 3
        assert all(received.path.endswith("/media") and "reposts" not in received.query["fields"] for received in later)


def test_an_old_post_stops_expansions() -> None:
    """After an old post the pages, which hold older ones, are listed without insights and asked in batches at once."""
    world = World.build(accounts=1, media_per_account=300, now=NOW)
    with open_readers(world) as readers:
        whole = truth_of(readers)
        old = {post.id for post in readers.posts[150:]}
        for post in readers.posts[150:]:
            world.put(replace(post, before_business=True))
        assert readers.read_media() == {key: value for key, value in whole.items() if key[0] not in old}
        assert readers.http == 3 + (2 + 2) + (1 + 2)
        assert readers.left_out["insights", "MediaTooOld"]["count"] == 150


def refusal(said: str, code: int = 100) -> MetricRefused:
    """Return a refusal in Meta's words."""
    return MetricRefused("Refused.", facts=GraphFacts(code=code, said=said))


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (IN_ENGLISH, ("reposts",)),
        (IN_JAPANESE, ("reposts",)),
        (ENUM.format(1), ("views",)),
        (ENUM.format(9), ()),
        (
            "(#100) The following metrics (views,reach) should be specified with parameter metric_type",
            ("reach", "views"),
        ),
        (WITHOUT_NAME, ()),
        ("Fatal", ()),
        ("", ()),
    ],
)
def test_a_refusal_names_its_metrics(said: str, named: tuple[str, ...]) -> None:
    """A refusal is about the position it names, else about the names it holds, else about nobody known."""
    assert find_named_metrics(refusal(said), ("reach", "views", "reposts")) == named
    assert find_named_metrics(refusal(said), ("saved",)) == ("saved",)


def query(*names: str, breakdown: str = "media_product_type") -> InsightsQuery:
    """Return the planned query of account totals that holds these metrics."""
    plan = plan_account(list(names), {name: [breakdown] for name in names}, version="v25.0", login="facebook")
    return plan.totals[0]


def test_a_group_learns_from_its_answers_too() -> None:
    """A metric that the group answered once is asked again, whoever refused it."""
    refusals = RefusedMetrics().open_account()
    asked = query("likes", "views")
    refusals.record_refusal("account", asked.breakdown, ["likes"], refusal("no"), whom="account 1")
    (rest, total), dropped = refusals.reduce("account", asked)
    assert (rest.names, total.names, total.breakdown) == (("views",), ("likes",), "")
    assert [name for name, _ in dropped] == ["likes"]
    refusals.record_answer("account", asked)
    assert refusals.reduce("account", asked) == ((asked,), ())


def test_accounts_learn_from_each_other() -> None:
    """What one account refuses is asked of the others; after several it is not asked again, until somebody answers."""
    run, asked = RefusedMetrics(), query("likes")
    for _ in range(MIN_REFUSING_ACCOUNTS):
        assert run.open_account().reduce("account", asked) == ((asked,), ())
        run.open_account().record_refusal("account", asked.breakdown, ["likes"], refusal("no"), whom="account 1")
    assert run.open_account().reduce("account", asked)[0] != (asked,)
    run.open_account().record_answer("account", asked)
    assert run.open_account().reduce("account", asked) == ((asked,), ())
