"""Refusals that come one after another, and on several kinds of media at once: bounded in rounds, complete in rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_iginsights.errors import (
    FatalGraphError,
    PermissionMissing,
    ServerTrouble,
    Throttled,
    TokenExpired,
)
from airflow_provider_iginsights.extract.account_pool import AccountPool
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, Media, Token, World
from airflow_provider_iginsights.sandbox.graph.objects import FACEBOOK_PERMISSIONS
from tests.support.readers import CORE, MEDIA_KEY, NOW, Readers, by_key, middle_post, open_readers, refuse, truth_of
from tests.support.truth import DEFAULT_STORIES, story_rows

SENTENCE = "(#100) The Media Insights API does not support the {} metric for this media product type."


def refuse_metric(readers: Readers, metric: str, **where: object) -> None:
    """Let the API refuse a metric by name, wherever the conditions hold."""
    effect = ErrorEffect(100, message=SENTENCE.format(metric))
    readers.sandbox.faults.add(GraphFault(effect=effect, metric=metric, times=None, **where))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [2, 4, 7])
def test_metrics_refused_one_after_another(count: int) -> None:
    """However many metrics a product type refuses, each named on its own, a few requests find them all."""
    with open_readers() as readers:
        reels = {post.id for post in readers.posts if post.media_product_type == "REELS"}
        whole, refused = truth_of(readers), CORE[:count]
        for metric in refused:
            refuse_metric(readers, metric, product_type="REELS")
        assert readers.read_media() == {
            key: value for key, value in whole.items() if key[0] not in reels or key[1] not in refused
        }
        assert set(readers.left_out) == {(metric, "MetricRefused") for metric in refused}
        assert readers.http <= 3 + 2 * 3


def test_an_advertisement_among_posts() -> None:
    """A media without any insights (AD) leaves its page's others whole, and the account's further pages too."""
    world = World.build(accounts=1, media_per_account=150, now=NOW)
    with open_readers(world) as readers:
        whole = truth_of(readers)
        ad = Media(
            id="17900000000009999",
            account_id=readers.accounts[0].id,
            media_type="IMAGE",
            media_product_type="AD",
            timestamp=readers.posts[10].timestamp,
        )
        world.put(ad)
        assert readers.read_media() == whole
        assert {finding["count"] for finding in readers.left_out.values()} == {1}
        assert readers.http <= 5 + 2 * 3


@pytest.mark.parametrize("message", [SENTENCE.format("navigation"), "(#100) 無効です"])
def test_a_story_metric_with_its_breakdown(message: str) -> None:
    """A story metric that is refused with its breakdown is asked once without, then left out by both names."""
    with open_readers(World.build(accounts=1, stories_per_account=6, now=NOW)) as readers:
        stories = readers.world.stories_of(readers.accounts[0].id, NOW)
        whole = by_key(story_rows(readers.world, stories, now=NOW, offer=DEFAULT_STORIES), MEDIA_KEY)
        effect = ErrorEffect(100, message=message)
        readers.sandbox.faults.add(GraphFault(effect=effect, metric="navigation", times=None))
        read = readers.read_stories()
        assert read == {key: value for key, value in whole.items() if key[1] != "navigation"}
        assert set(readers.left_out) == {
            ("navigation by story_navigation_action_type", "MetricRefused"),
            ("navigation", "MetricRefused"),
        }
        assert readers.http <= 2 + 3


def test_nobody_waits_for_ever() -> None:
    """Who waits for representatives is looked after even if others' refusals made the representatives needless."""
    world = World.build(accounts=1, media_per_account=0, now=NOW)
    account_id = next(iter(world.accounts))
    posts = [
        Media(f"1790000000000000{number}", account_id, "IMAGE", "FEED", NOW - timedelta(hours=number))
        for number in range(1, 9)
    ]
    for post in posts:
        world.put(post)
    with open_readers(world) as readers:
        for number, post in enumerate(posts):
            effect = ErrorEffect(100, message="(#100) 無効" if number < 5 else "(#100) follows, profile_visits")
            readers.sandbox.faults.add(GraphFault(effect=effect, metric="follows", object_id=post.id, times=None))
        assert readers.read_media(["follows", "profile_visits"]) == {}
        assert {what: finding["count"] for (what, _), finding in readers.left_out.items()} == {
            "follows": 8,
            "profile_visits": 8,
        }


@pytest.mark.parametrize("message", [SENTENCE.format("follows"), "(#100) 無効"])
def test_two_odd_posts_of_a_kind_silence_nobody(message: str) -> None:
    """The two posts of their kind on the first page refuse a metric: those on later pages are asked nonetheless."""
    world = World.build(accounts=1, media_per_account=120, now=NOW)
    for number, post in enumerate(world.media_of(next(iter(world.accounts)), NOW)):
        kind = "FEED" if number in {3, 50} or number >= 100 else "REELS"
        world.put(replace(post, media_product_type=kind, media_type="IMAGE" if kind == "FEED" else "VIDEO"))
    with open_readers(world) as readers:
        odd_ids = [readers.posts[3].id, readers.posts[50].id]
        for media_id in odd_ids:
            refuse(readers, message, metric="follows", object_id=media_id)
        assert readers.read_media() == {
            key: value for key, value in truth_of(readers).items() if key[0] not in odd_ids or key[1] != "follows"
        }
        assert sorted(readers.left_out["follows", "MetricRefused"]["whom"]) == sorted(
            f"media {media_id}" for media_id in odd_ids
        )


def test_every_post_is_odd() -> None:
    """Where each post is refused something else, what is left of each arrives."""
    with open_readers(World.build(accounts=1, media_per_account=40, now=NOW)) as readers:
        whole, missing = truth_of(readers), set()
        for number, post in enumerate(readers.posts):
            if number % 4 == 0:
                readers.world.put(replace(post, before_business=True))
                missing |= {key for key in whole if key[0] == post.id}
            elif number % 4 == 1:
                metric = CORE[number % len(CORE)]
                effect = ErrorEffect(-1, subcode=2207086, message="Fatal")
                readers.sandbox.faults.add(GraphFault(effect=effect, metric=metric, object_id=post.id, times=None))
                missing |= {key for key in whole if key[:2] == (post.id, metric)}
        assert readers.read_media() == {key: value for key, value in whole.items() if key not in missing}


@pytest.mark.parametrize("message", ["(#10) Not enough viewers for the media to show insights", "視聴者が足りません"])
def test_a_story_that_few_saw(message: str) -> None:
    """A story under five viewers is skipped by name; the others' numbers arrive."""
    world = World.build(accounts=1, stories_per_account=5, now=NOW)
    with open_readers(world) as readers:
        stories = world.stories_of(readers.accounts[0].id, NOW)
        refuse(readers, message, code=10, object_id=stories[2].id)
        seen = [story for story in stories if story != stories[2]]
        assert readers.read_stories() == by_key(story_rows(world, seen, now=NOW, offer=DEFAULT_STORIES), MEDIA_KEY)
        assert list(readers.left_out) == [("insights", "TooFewViewers")]
        assert readers.http <= 2 + 3


def test_a_missing_permission() -> None:
    """Where no post's insights may be read it is the account's permission, said after one page, not 10,000 posts."""
    world = World.build(accounts=1, media_per_account=300, now=NOW)
    world.put(Token("EAAGbare", "system_user", permissions=FACEBOOK_PERMISSIONS - {"instagram_manage_insights"}))
    with open_readers(world, token="EAAGbare") as readers:
        with pytest.raises(PermissionMissing):
            readers.read_media()
        assert readers.http <= 4


def test_a_lasting_error_of_one_post() -> None:
    """A post whose server fails for good is asked again at the end, and stays open; every other number is given."""
    world = World.build(accounts=1, media_per_account=130, now=NOW)
    with open_readers(world) as readers:
        post, whole = middle_post(readers), truth_of(readers)
        refuse(readers, "Service temporarily unavailable", code=2, path=f"{post.id}/insights")
        pool = AccountPool(readers.open_source().read_media(refresh_days=None), workers=1)
        given = [row for table, row in pool.read([readers.accounts[0].id]) if table == "media_insights"]
        wanted = {key: value for key, value in whole.items() if key[0] != post.id or key[1] in CORE}
        assert by_key(given, MEDIA_KEY) == wanted
        assert pool.results.done == []
        assert pool.results.failed == {}
        questions = pool.results.unanswered[readers.accounts[0].id]
        assert {question.whom for question in questions} == {f"media {post.id}"}
        assert {type(question.error) for question in questions} == {ServerTrouble}
        assert readers.left_out == {}


def test_an_error_that_passes_leaves_nothing_unanswered() -> None:
    """What failed while the account was read is answered when it is asked again, once and for this post only."""
    world = World.build(accounts=1, media_per_account=130, now=NOW)
    with open_readers(world) as readers:
        post, whole = middle_post(readers), truth_of(readers)
        effect = ErrorEffect(2, message="Service temporarily unavailable")
        readers.sandbox.faults.add(GraphFault(effect=effect, path=f"{post.id}/insights", times=3))
        pool = AccountPool(readers.open_source().read_media(refresh_days=None), workers=1)
        given = [row for table, row in pool.read([readers.accounts[0].id]) if table == "media_insights"]
        assert by_key(given, MEDIA_KEY) == whole
        assert pool.results.done == [readers.accounts[0].id]
        assert pool.results.unanswered == pool.results.failed == {}


@pytest.mark.parametrize(("code", "subcode"), [(3001, None), (9, None), (21009, 12), (777, None)])
def test_an_unknown_code_costs_one_post(code: int, subcode: int | None) -> None:
    """A code that no row knows costs the post that answers it; the other 161 are complete."""
    with open_readers(World.build(accounts=1, media_per_account=162, now=NOW)) as readers:
        post, whole = middle_post(readers), truth_of(readers)
        refuse(readers, "Unknown", code=code, subcode=subcode, object_id=post.id)
        assert readers.read_media() == {key: value for key, value in whole.items() if key[0] != post.id}
        assert readers.left_out["insights", "FatalGraphError"]["whom"] == [f"media {post.id}"]


def test_an_unknown_code_of_most_posts_is_the_account_s() -> None:
    """Where more than half of the posts answer so, the account fails after one batch, not after all its posts."""
    with open_readers(World.build(accounts=1, media_per_account=300, now=NOW)) as readers:
        refuse(readers, "Unknown", code=777, path="/insights$")
        readers.sandbox.faults.add(GraphFault(effect=ErrorEffect(777), metric="reach", times=1))
        with pytest.raises(FatalGraphError):
            readers.read_media()
        assert readers.http <= 3


@pytest.mark.parametrize(
    ("code", "subcode", "error"), [(4, None, Throttled), (80002, None, Throttled), (190, 463, TokenExpired)]
)
def test_what_stops_an_account(code: int, subcode: int | None, error: type[Exception]) -> None:
    """A rate limit or a dead token inside a batch ends the account's reading at once."""
    with open_readers() as readers:
        refuse(readers, "stop", code=code, subcode=subcode, path=f"{middle_post(readers).id}/insights")
        with pytest.raises(error):
            readers.read_media()
        assert readers.http <= 3


def test_instagram_login_isolates_too() -> None:
    """Without batches a refusal is learned from the first few media, and the numbers are the same."""
    with open_readers(login="instagram") as readers:
        reels = {post.id for post in readers.posts if post.media_product_type == "REELS"}
        whole = truth_of(readers)
        refuse(readers, metric="reposts", product_type="REELS")
        assert readers.read_media() == {
            key: value for key, value in whole.items() if key[0] not in reels or key[1] != "reposts"
        }
        assert readers.http <= 2 + len(readers.posts) + 3
