"""What a refusal costs, counted at the server: at most 3 further HTTP requests per refused page and product type."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_iginsights.sandbox.graph import DeleteObject, GraphFault, NullItem, World
from tests.support.readers import CORE, NOW, Numbers, middle_post, open_readers, refuse, truth_of

BY_NAME = "(#100) The Media Insights API does not support the {} metric for this media product type."
WITHOUT_NAME = "(#100) この指標はサポートされていません。"
BASE = {"core": 1, "default": 3}
METRICS = {"core": CORE, "default": None}
EACH = 3

Kinds = tuple[str, ...]
Bad = tuple[str, ...]


def build_world(kinds: Kinds, *, posts: int = 100) -> World:
    """Return one account whose posts are of these product types, in turns."""
    world = World.build(accounts=1, media_per_account=posts, now=NOW)
    media = world.media_of(next(iter(world.accounts)), NOW)
    for number, post in enumerate(media):
        kind = kinds[number % len(kinds)]
        world.put(replace(post, media_product_type=kind, media_type="VIDEO" if kind == "REELS" else "IMAGE"))
    return world


def less(numbers: Numbers, media: set[str], metrics: Bad) -> Numbers:
    """Return the numbers without these metrics of these media."""
    return {key: value for key, value in numbers.items() if key[0] not in media or key[1] not in metrics}


@pytest.mark.parametrize("asked", ["core", "default"])
@pytest.mark.parametrize("kinds", [("FEED",), ("REELS",), ("FEED", "REELS")], ids="+".join)
@pytest.mark.parametrize("message", [BY_NAME, WITHOUT_NAME], ids=["named", "nameless"])
@pytest.mark.parametrize("bad", [("reposts",), ("reach", "reposts"), ("reach", "views", "saved", "reposts")], ids=len)
def test_what_a_product_type_refuses(asked: str, kinds: Kinds, message: str, bad: Bad) -> None:
    """However many metrics the last product type refuses, named or not, the bound holds and the rest arrives."""
    with open_readers(build_world(kinds)) as readers:
        refusing = {post.id for post in readers.posts if post.media_product_type == kinds[-1]}
        for metric in bad:
            refuse(readers, message.format(metric), metric=metric, product_type=kinds[-1])
        assert readers.read_media(METRICS[asked]) == less(truth_of(readers, metrics=METRICS[asked]), refusing, bad)
        assert set(readers.left_out) == {(metric, "MetricRefused") for metric in bad}
        assert {found["count"] for found in readers.left_out.values()} == {len(refusing)}
        assert readers.http <= BASE[asked] + EACH * len(kinds)


@pytest.mark.parametrize("asked", ["core", "default"])
@pytest.mark.parametrize("place", [0, 42, 99])
@pytest.mark.parametrize("message", [BY_NAME, WITHOUT_NAME], ids=["named", "nameless"])
def test_what_one_post_refuses(asked: str, place: int, message: str) -> None:
    """One post that refuses a metric, wherever it stands, costs that one number and stays within the bound."""
    with open_readers(build_world(("FEED",))) as readers:
        post = readers.posts[place]
        refuse(readers, message.format("reposts"), metric="reposts", object_id=post.id)
        whole = truth_of(readers, metrics=METRICS[asked])
        assert readers.read_media(METRICS[asked]) == less(whole, {post.id}, ("reposts",))
        assert readers.left_out["reposts", "MetricRefused"]["whom"] == [f"media {post.id}"]
        assert readers.http <= BASE[asked] + EACH


@pytest.mark.parametrize("asked", ["core", "default"])
@pytest.mark.parametrize(("start", "step"), [(50, 1), (0, 2)], ids=["older", "every second"])
@pytest.mark.parametrize("message", [BY_NAME, WITHOUT_NAME], ids=["named", "nameless"])
def test_what_half_of_the_posts_refuse(asked: str, start: int, step: int, message: str) -> None:
    """A metric that half of a product type refuses arrives for the other half, within the bound, page after page."""
    with open_readers(build_world(("FEED",), posts=300)) as readers:
        refusing = {post.id for page in (0, 100, 200) for post in readers.posts[page + start : page + 100 : step]}
        for media_id in refusing:
            refuse(readers, message.format("reposts"), metric="reposts", object_id=media_id)
        whole = truth_of(readers, metrics=METRICS[asked])
        assert readers.read_media(METRICS[asked]) == less(whole, refusing, ("reposts",))
        assert readers.left_out["reposts", "MetricRefused"]["count"] == len(refusing)
        assert readers.http <= 3 * (BASE[asked] + EACH)


@pytest.mark.parametrize("message", [BY_NAME, WITHOUT_NAME], ids=["named", "nameless"])
def test_pages_after_one_odd_post(message: str) -> None:
    """The pages after one refusing post are listed whole again."""
    with open_readers(build_world(("FEED",), posts=400)) as readers:
        post = readers.posts[7]
        refuse(readers, message.format("reposts"), metric="reposts", object_id=post.id)
        assert readers.read_media(CORE) == less(truth_of(readers, metrics=CORE), {post.id}, ("reposts",))
        assert readers.http <= 4 * BASE["core"] + EACH


def test_pages_after_several_odd_posts() -> None:
    """What single posts refuse page after page is asked beside the listings, which are no longer tried with it."""
    with open_readers(build_world(("FEED",), posts=500)) as readers:
        posts = readers.posts[7::100]
        for post in posts:
            refuse(readers, BY_NAME.format("reposts"), metric="reposts", object_id=post.id)
        refusing = {post.id for post in posts}
        assert readers.read_media(CORE) == less(truth_of(readers, metrics=CORE), refusing, ("reposts",))
        lists = [sent.query["fields"] for sent in readers.sandbox.log if sent.path.endswith("/media")]
        assert ["reposts" in fields for fields in lists] == [True, False, True, False, False, False, False]
        assert readers.http <= 5 * (BASE["core"] + EACH)


def test_a_post_that_is_gone_stops_no_expansions() -> None:
    """A post that is listed but cannot be read costs its own page, not those after it."""
    with open_readers(build_world(("FEED",), posts=400)) as readers:
        whole, post = truth_of(readers, metrics=CORE), middle_post(readers)
        readers.world.put(replace(post, hidden=True))
        assert readers.read_media(CORE) == less(whole, {post.id}, CORE)
        assert readers.http <= 4 * BASE["core"] + EACH


def test_a_post_that_vanishes_between_the_listings() -> None:
    """Where the listings of single metrics differ, each post of the page is asked: no number is lost."""
    with open_readers(build_world(("FEED",))) as readers:
        whole, post = truth_of(readers, metrics=CORE), middle_post(readers)
        refuse(readers, WITHOUT_NAME, metric="reposts")
        # The page, then in the batch: the page without metrics, and what follows it.
        readers.sandbox.faults.add(GraphFault(effect=DeleteObject(post.id), path="/media$", skip=1, times=1))
        everyone = {key[0] for key in whole}
        assert readers.read_media(CORE) == less(less(whole, {post.id}, CORE), everyone, ("reposts",))
        assert set(readers.left_out) == {("insights", "ObjectGone"), ("reposts", "MetricRefused")}


def test_a_listing_that_does_not_answer() -> None:
    """A listing of one metric that Meta does not get to is made up for post by post."""
    with open_readers(build_world(("FEED",)), tries=1) as readers:
        refuse(readers, WITHOUT_NAME, metric="reposts")
        unanswered = GraphFault(effect=NullItem(), path="/media$", skip=1, times=2)
        readers.sandbox.faults.add(unanswered)
        whole = truth_of(readers, metrics=CORE)
        assert readers.read_media(CORE) == less(whole, {key[0] for key in whole}, ("reposts",))
        assert readers.sandbox.faults.count(unanswered) == 2
