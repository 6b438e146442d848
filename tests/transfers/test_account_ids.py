"""Whose numbers a run asks for, however the accounts are named, and what it says where a name is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import AccountUnavailable, ConfigurationError
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import Account, Business, ErrorEffect, GraphFault, Token, World
from tests.support.sandboxes import NOW, Sandboxes, open_sandboxes

NO_LIST = ErrorEffect(100, http=400, message="(#100) Tried accessing nonexisting field (accounts) on node type (Page)")
NO_FIELD = ErrorEffect(100, http=400, message="(#100) Tried accessing nonexisting field (media) on node type (Page)")


class Results(Sequence[Any]):
    """The results of a mapped task: a sequence that is no list."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __getitem__(self, index: Any) -> Any:
        """Return one result."""
        return self.items[index]

    def __len__(self) -> int:
        """Count the results."""
        return len(self.items)


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve three accounts behind Pages and one of a portfolio."""
    world = World.build(now=NOW, accounts=3, media_per_account=1, stories_per_account=1)
    world.put(Account(id="17841411111111111", username="Owned.By"))
    world.put(Business(id="601", name="Agency", owned=("17841411111111111",)))
    with open_sandboxes(world) as opened:
        yield opened


A, B, C = "17841400000000001", "17841400000000002", "17841400000000003"
SPELLINGS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "number": (int(A), (A,)),
    "text of a number": (A, (A,)),
    "JSON text of a text": (f'"{A}"', (A,)),
    "JSON text of numbers": (f"[{B}, {A}]", (B, A)),
    "Python text of a tuple": (f"('{B}', '{A}')", (B, A)),
    "Python text of lists": (f"[['{B}'], ['{A}']]", (B, A)),
    "comma text": (f" {B},{A} ;{C}\n", (B, A, C)),
    "lists of lists": ([[B], [A, C]], (B, A, C)),
    "results of a mapped task": (Results(B, int(A)), (B, A)),
    "results that are lists": (Results([B, A], [C]), (B, A, C)),
    "doubled": ([A, B, int(A), f"{B},{C}"], (A, B, C)),
    "usernames": (["@brand_0002", A, "@BRAND_0003"], (B, A, C)),
    "an account twice, by name and id": (["@brand_0001", A, B], (A, B)),
    "a username of a portfolio": ("@owned.by", ("17841411111111111",)),
}


@pytest.mark.parametrize(("given", "found"), SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_read_alike(sandboxes: Sandboxes, given: Any, found: tuple[str, ...]) -> None:
    """The transfers' resolver, the lister and the connection's extra understand the same, in order and each once."""
    assert InstagramHook().find_account_ids(given) == found
    assert InstagramListAccountsOperator(task_id="accounts", account_ids=given).execute({}) == [list(found)]
    if isinstance(given, str | int | list):
        sandboxes.connect(extra={"account_ids": given})
        assert InstagramHook().find_account_ids("None") == found


@pytest.mark.parametrize(
    "given", [[], (), "[]", ",", [[]], Results()], ids=lambda given: f"{type(given).__name__} {len(given)}"
)
def test_an_empty_list_is_one_error_everywhere(sandboxes: Sandboxes, given: Any) -> None:
    """No list of accounts turns into all that the token sees."""
    with pytest.raises(ConfigurationError, match="account_ids is an empty list") as hook:
        InstagramHook().find_account_ids(given)
    with pytest.raises(ConfigurationError, match="empty list") as lister:
        InstagramListAccountsOperator(task_id="accounts", account_ids=given).execute({})
    with pytest.raises(ConfigurationError, match="empty list") as transfer:
        sandboxes.run("media", account_ids=given)
    assert str(hook.value) == str(lister.value) == str(transfer.value)
    assert sandboxes.graph.log == ()


def test_a_wrong_id_is_quoted(sandboxes: Sandboxes) -> None:
    """The message says which of the ids is wrong, unless it looks like a token."""
    with pytest.raises(ConfigurationError, match=r"'brand_0001' \(number 2 of 3\)"):
        sandboxes.run("account", account_ids=[A, "brand_0001", B])
    token = "EAAG" + "aB3x" * 45
    with pytest.raises(ConfigurationError, match="number 1 of 1") as caught:
        sandboxes.run("account", account_ids=token)
    assert token[:12] not in str(caught.value)


def test_an_unknown_username_is_named_with_those_that_are_visible(sandboxes: Sandboxes) -> None:
    """Who misspells a username sees the ones to choose from."""
    with pytest.raises(ConfigurationError, match=r"@brand_9, .*@brand_0001, @brand_0002, @brand_0003, @owned.by"):
        sandboxes.run("account", account_ids=["@brand_9", "@brand_0001"])


def test_a_token_of_a_page_finds_its_account(sandboxes: Sandboxes) -> None:
    """A Page has no list of Pages: the account that is linked to it is meant."""
    sandboxes.world.put(Token("EAAGpage", "page", account_ids=(B,)))
    sandboxes.graph.faults.add(GraphFault(effect=NO_LIST, path="me/accounts", times=None))
    sandboxes.connect(password="EAAGpage")
    assert InstagramHook().find_account_ids() == (B,)
    assert InstagramListAccountsOperator(task_id="accounts", portfolios=False).execute({}) == [[B]]


@pytest.mark.parametrize("kind", ["account", "media", "story"])
@pytest.mark.parametrize("node", ["User", "Business", "Application"])
def test_an_id_of_something_else_says_of_what(sandboxes: Sandboxes, kind: str, node: str) -> None:
    """The id of a person, a portfolio or an app fails for good as well, and the other accounts are loaded."""
    effect = ErrorEffect(
        100, http=400, message=f"(#100) Tried accessing nonexisting field (media) on node type ({node})"
    )
    for path in ("601", "601/insights", "601/media", "601/stories"):
        sandboxes.graph.faults.add(GraphFault(effect=effect, path=path, times=None))
    with pytest.raises(
        AccountUnavailable, match=f"601 is the id of an object of the type {node}, not of an Instagram"
    ) as error:
        sandboxes.run(kind, account_ids=["601", A], metrics="reach")
    assert isinstance(error.value, AirflowFailException)
    assert sandboxes.instance.pushed["summary"]["accounts_done"] == [A]
    assert len([received for received in sandboxes.graph.log if "601" in str((received.path, received.items))]) <= 2


@pytest.mark.parametrize("kind", ["account", "media", "story"])
def test_a_page_id_is_answered_with_its_account(sandboxes: Sandboxes, kind: str) -> None:
    """The Page's id fails for good with the id that was meant, and the other accounts are loaded."""
    page_id = sandboxes.world.accounts[B].page_id
    for path in (page_id, f"{page_id}/{{}}"):
        for edge in ("insights", "media", "stories") if "{}" in path else ("",):
            sandboxes.graph.faults.add(GraphFault(effect=NO_FIELD, path=path.format(edge), times=2))
    more: dict[str, Any] = {"refresh_days": None} if kind == "media" else {}
    with pytest.raises(
        AccountUnavailable, match=f"{page_id} is the id of a Page; its Instagram account is {B}"
    ) as error:
        sandboxes.run(kind, account_ids=[page_id, A], metrics="reach", **more)
    assert isinstance(error.value, AirflowFailException)
    assert sandboxes.instance.pushed["summary"]["accounts_done"] == [A]
    table = {"account": "instagram_account_insights", "media": "instagram_media_insights"}
    assert {row["account_id"] for row in sandboxes.rows(table.get(kind, "instagram_story_insights"))} == {A}
