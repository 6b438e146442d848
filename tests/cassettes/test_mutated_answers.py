"""A run that got answers of any odd form happens again from its cassette: with the same rows, and the same end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.testing import replay_cassette, set_testing
from tests.support.cassettes import find_pseudonyms, read_rows, recording
from tests.support.mutation.documents import Path as Steps
from tests.support.mutation.documents import shape, walk
from tests.support.mutation.mutating_graph import AnswerRewrite, Exchange, MutatingGraph, MutatingMiddleware
from tests.support.mutation.mutations import mutate, names_for
from tests.support.sandboxes import NOW, open_sandboxes

SINCE = "2026-11-20"
TOO_LARGE = "2**70"
"""A number that no metric reaches is replaced, as it may be an id."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What Meta answers to one kind of run; the places in the answers, by what they have in common."""

    exchanges: list[Exchange]
    places: dict[str, list[tuple[Exchange, Steps]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for exchange in self.exchanges:
            for path in walk(exchange.document):
                if path and path[0] == "body":
                    self.places.setdefault(f"{exchange.label} {shape(path)}", []).append((exchange, path))


@dataclass(slots=True)
class Mutated:
    """The Graph API whose answers are changed, and what it answers unchanged."""

    middleware: MutatingMiddleware
    answers: dict[str, Answers] = field(default_factory=dict)

    def choose(self, seed: int) -> tuple[str, str, AnswerRewrite]:
        """Return a kind of run, and a change of one of its answers in words and as it is done."""
        dice = random.Random(seed)
        kind = dice.choice(list(self.answers))
        places = self.answers[kind].places
        label = dice.choice(list(places))
        exchange, path = dice.choice(places[label])
        name = dice.choice([name for name in names_for(exchange.document, path) if name != TOO_LARGE])
        after = mutate(exchange.document, path, name, dice).after
        rewrite = AnswerRewrite(exchange.signature, lambda _: after, dice.choice((None, 1)))
        return kind, f"{kind}: {label}: {name}", rewrite


@pytest.fixture(scope="module")
def mutated() -> Iterator[Mutated]:
    """Serve one small account, and record what it answers."""
    world = World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=1)
    with open_sandboxes(world, graph_sandbox=MutatingGraph, ticks=False) as sandboxes, set_testing():
        middleware: MutatingMiddleware = sandboxes.graph.middleware  # type: ignore[attr-defined]
        found = Mutated(middleware)
        for kind in ("account", "media", "story"):
            middleware.records, middleware.recorded = True, []
            read_rows(kind, since=SINCE)
            found.answers[kind] = Answers(middleware.recorded)
        middleware.records = False
        yield found


# Among these: names that come twice, items of a batch in other forms, values of other types, answers that end a run.
@pytest.mark.parametrize("seed", [27, 67, 122, 135, 139, *range(1, 11)])
def test_a_run_with_an_odd_answer_happens_again(mutated: Mutated, tmp_path: Path, seed: int) -> None:
    """Nothing is asked that the cassette has no answer to."""
    kind, said, rewrite = mutated.choose(seed)
    mutated.middleware.rewrites = (rewrite,)
    try:
        with recording(tmp_path / "cassette"):
            before, ended = read_rows(kind, since=SINCE)
    finally:
        mutated.middleware.rewrites = ()
    with replay_cassette(tmp_path / "cassette"):
        after, ended_again = read_rows(kind, since=SINCE)
    assert rewrite.applied, said
    assert ended == ended_again, said
    find_pseudonyms(before, after)
