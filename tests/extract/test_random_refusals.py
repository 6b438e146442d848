"""Random refusals and faults on the same pages: whatever comes together, no other number is lost or doubled."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphFault, NullItem, ReduceData, World
from tests.support.readers import CORE, NOW, Numbers, Readers, open_readers, refuse, truth_of

TEXTS = (
    "(#100) The Media Insights API does not support the {} metric for this media product type.",
    "(#100) この指標はサポートされていません。",
)
POSTS, SEEDS = 130, 40
OWN = {"FEED": ("follows", "profile_visits"), "REELS": ("ig_reels_avg_watch_time", "reels_skip_rate")}

Missing = set[tuple[str, str]]
Fault = Callable[[Readers, random.Random], Missing]


def of_a_type(readers: Readers, dice: random.Random) -> Missing:
    """Let a product type refuse a metric."""
    kind = dice.choice(["FEED", "REELS"])
    metric = dice.choice([*CORE, *OWN[kind]])
    refuse(readers, dice.choice(TEXTS).format(metric), metric=metric, product_type=kind)
    return {(post.id, metric) for post in readers.posts if post.media_product_type == kind}


def of_a_post(readers: Readers, dice: random.Random) -> Missing:
    """Let one post refuse a metric."""
    post = dice.choice(readers.posts)
    metric = dice.choice([*CORE, *OWN[post.media_product_type]])
    refuse(readers, dice.choice(TEXTS).format(metric), metric=metric, object_id=post.id)
    return {(post.id, metric)}


def fatal(readers: Readers, dice: random.Random) -> Missing:
    """Let one metric of one post be fatal."""
    post, metric = dice.choice(readers.posts), dice.choice(CORE)
    refuse(readers, "Fatal", code=-1, subcode=2207086, metric=metric, object_id=post.id)
    return {(post.id, metric)}


def hidden(readers: Readers, dice: random.Random) -> Missing:
    """Let a post be listed but not readable."""
    post = dice.choice(readers.posts)
    readers.world.put(replace(post, hidden=True))
    return {(post.id, "")}


def too_old(readers: Readers, dice: random.Random) -> Missing:
    """Let a post be older than the business account."""
    post = dice.choice(readers.posts)
    readers.world.put(replace(post, before_business=True))
    return {(post.id, "")}


def left_out(readers: Readers, dice: random.Random) -> Missing:
    """Let Meta leave out items of a batch, a listing's or a post's."""
    path = dice.choice(["/media$", "/insights$"])
    readers.sandbox.faults.add(GraphFault(effect=NullItem(), path=path, skip=dice.randrange(60), times=1))
    return set()


def too_much(readers: Readers, dice: random.Random) -> Missing:
    """Let Meta find pages too large."""
    readers.sandbox.faults.add(GraphFault(effect=ReduceData(max_limit=dice.choice([30, 60])), times=None))
    return set()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_comes_together(seed: int) -> None:
    """All numbers arrive once, but those that Meta refused for their post or their product type."""
    dice = random.Random(seed)
    faults: list[Fault] = [of_a_type, of_a_post, of_a_post, fatal, hidden, too_old, left_out, too_much]
    with open_readers(World.build(accounts=1, media_per_account=POSTS, now=NOW, seed=seed)) as readers:
        whole: Numbers = truth_of(readers)
        missing: Missing = set()
        for fault in dice.sample(faults, k=dice.randint(1, 5)):
            missing |= fault(readers, dice)
        expected = {
            key: value
            for key, value in whole.items()
            if (key[0], key[1]) not in missing and (key[0], "") not in missing
        }
        assert readers.read_media() == expected
