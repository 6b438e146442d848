"""Which fields a refusal is about, how few requests find that out, and whom it concerns."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_provider_iginsights.errors import (
    GraphFacts,
    InsightsError,
    MetricRefused,
    PermissionMissing,
    ServerTrouble,
)
from airflow_provider_iginsights.extract.refused_fields import (
    FieldSearch,
    RefusedFields,
    find_refused_fields,
    is_other_node,
)

FIELDS = ("id", "username", "name", "biography", "website", "followers_count", "like_count")


def refusal(said: str, kind: type[InsightsError] = MetricRefused, code: int = 100) -> InsightsError:
    """Return an error with Meta's text."""
    return kind("refused", facts=GraphFacts(code=code, said=said))


def nonexisting(field: str, node: str = "IGUser") -> InsightsError:
    """Return Meta's refusal of a field."""
    return refusal(f"(#100) Tried accessing nonexisting field ({field}) on node type ({node})")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("(#100) Tried accessing nonexisting field (website) on node type (IGUser)", ("website",)),
        ("(#100) Tried accessing nonexisting field (website) on node type (ShadowIGUser)", ("website",)),
        ("(#100) 存在しないフィールド (name) にアクセスしようとしました", ("name",)),
        ("(#10) like_count requires another permission", ("like_count",)),
        ("(#100) Tried accessing nonexisting field (website) on node type (Page)", ()),
        ("(#100) The name of the website is no username", ()),
        ("(#100) Tried accessing nonexisting field (id) on node type (IGUser)", ()),
        ("", ()),
    ],
)
def test_what_a_refusal_names(said: str, named: tuple[str, ...]) -> None:
    """A name in parentheses, or one that is no word of a language; never the id, never of another kind of node."""
    assert find_refused_fields(refusal(said), FIELDS) == named


@pytest.mark.parametrize(
    ("node", "other"),
    [("IGUser", False), ("ShadowIGMedia", False), ("InstagramUser", False), ("Page", True), ("User", True)],
)
def test_the_node_is_looked_at_first(node: str, other: bool) -> None:
    """An account or a media is ours; a Page, a user or an app is another kind of id."""
    assert is_other_node(nonexisting("website", node)) is other


def search(bad: Sequence[str], kinds: dict[str, InsightsError] | None = None) -> tuple[FieldSearch, list[list[str]]]:
    """Return a search over a node that refuses some fields alone, and the rounds in which it asked."""
    rounds: list[list[str]] = []

    def read_single(names: Sequence[str]) -> list[InsightsError | None]:
        rounds.append(list(names))
        return [(kinds or {}).get(name, refusal("無効") if name in bad else None) for name in names]

    return FieldSearch(fields=FIELDS, read_single=read_single), rounds


def test_two_names_are_believed_then_all_are_asked() -> None:
    """Meta names one field at a time: after the second, one round finds all the others."""
    found, rounds = search(["biography", "followers_count"])
    assert found.record(nonexisting("website"))
    assert found.record(nonexisting("name"))
    assert rounds == []
    assert found.record(nonexisting("biography"))
    assert len(rounds) == 1
    assert set(found.refused) == {"website", "name", "biography", "followers_count"}
    assert not found.record(nonexisting("username"))
    assert len(rounds) == 1


def test_no_name_one_round() -> None:
    """Where the text names nobody the fields are asked alone; a server's error on one is no refusal of it."""
    kinds = {"website": refusal("no", PermissionMissing, 10), "name": ServerTrouble("down")}
    found, rounds = search([], kinds)
    assert found.record(refusal("(#100) 無効"))
    assert set(found.refused) == {"website"}
    assert rounds == [list(FIELDS[1:])]


@pytest.mark.parametrize("bad", [FIELDS[1:], ()])
def test_nothing_or_everything_is_no_answer(bad: Sequence[str]) -> None:
    """Where no field is refused alone, or each, it is not about the fields."""
    found, _ = search(bad)
    assert not found.record(refusal("(#100) 無効"))
    assert found.refused == {}


def test_a_missing_permission_may_be_the_nodes() -> None:
    """Code 10 without a name: if the id may be read, the fields are asked alone; if not, nothing else is asked."""
    denied = refusal("(#10) 権限がありません", PermissionMissing, 10)
    found, rounds = search([], {"website": denied})
    assert found.record(denied)
    assert found.refused == {"website": denied}
    assert rounds == [["id"], list(FIELDS[1:])]
    whole, rounds = search([], dict.fromkeys(FIELDS, denied))
    assert not whole.record(denied)
    assert rounds == [["id"]]


def test_whom_it_concerns() -> None:
    """That a field does not exist is everybody's; that one may not read it is everybody's after three accounts."""
    memory = RefusedFields()
    memory.record_refusal("profile", ["website"], nonexisting("website"), account_id="1")
    denied = refusal("(#10) (biography)", PermissionMissing, 10)
    for account in ("1", "2"):
        memory.record_refusal("profile", ["biography"], denied, account_id=account)
    assert set(memory.find("profile", "9")) == {"website"}
    assert set(memory.find("profile", "2")) == {"website", "biography"}
    assert memory.find("media", "1") == {}
    memory.record_refusal("profile", ["biography"], denied, account_id="3")
    assert set(memory.find("profile", "9")) == {"website", "biography"}
    memory.record_answer("profile", ["website", "biography"])
    assert memory.find("profile", "9") == {}
    assert set(memory.find("profile", "1")) == {"website", "biography"}
