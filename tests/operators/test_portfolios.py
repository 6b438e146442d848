"""Accounts of Business portfolios, and of several connections at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_iginsights.errors import ConfigurationError, ServerTrouble, TokenExpired
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import Account, Business, ErrorEffect, GraphFault, Token, World
from airflow_provider_iginsights.sandbox.graph.objects import FACEBOOK_PERMISSIONS
from tests.support.sandboxes import NOW, Sandboxes, open_sandboxes

OWNED = Account(id="17841411111111111", username="owned")
CLIENT = Account(id="17841422222222222", username="client", followers_count=7)
UNREADABLE = "17841433333333333"


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts behind Pages, and two portfolios with more."""
    world = World.build(now=NOW, accounts=2, media_per_account=0, stories_per_account=0)
    world.put(OWNED)
    world.put(CLIENT)
    first = next(iter(world.accounts))
    world.put(Business(id="601", name="Agency", owned=(first, OWNED.id), clients=(CLIENT.id, UNREADABLE)))
    world.put(Business(id="602", name="Another", owned=(OWNED.id,)))
    with open_sandboxes(world) as opened:
        yield opened


def listed(**arguments: Any) -> Any:
    """Run the operator."""
    return InstagramListAccountsOperator(task_id="accounts", **arguments).execute({})


def paths(sandboxes: Sandboxes) -> list[str]:
    """Return what was asked, without the version."""
    return [received.path.partition("/v25.0/")[2] for received in sandboxes.graph.log]


def test_portfolios_add_what_no_page_leads_to(sandboxes: Sandboxes, capfd: pytest.CaptureFixture[str]) -> None:
    """Owned and clients' accounts follow those of Pages, each once; what the token may not read is named, left out."""
    on_pages = list(sandboxes.world.accounts)[:2]
    assert listed() == [[*on_pages, OWNED.id, CLIENT.id]]
    assert UNREADABLE in capfd.readouterr().out
    assert paths(sandboxes)[:2] == ["me/accounts", "me/businesses"]
    assert len(paths(sandboxes)) == 7, "one batch describes all that the portfolios add"


def test_portfolios_are_filtered_alike(sandboxes: Sandboxes) -> None:
    """Usernames and followers decide about a portfolio's accounts, too."""
    assert listed(allow="@Owned, client", minimum_followers=10) == [[OWNED.id]]


def test_without_portfolios(sandboxes: Sandboxes) -> None:
    """portfolios=False asks for Pages alone."""
    assert listed(portfolios=False) == [list(sandboxes.world.accounts)[:2]]
    assert paths(sandboxes) == ["me/accounts"]


def test_a_token_that_may_not_look_into_portfolios(sandboxes: Sandboxes, capfd: pytest.CaptureFixture[str]) -> None:
    """Without business_management nothing fails; what is missing is said."""
    sandboxes.world.put(Token("EAAGbare", "user", permissions=FACEBOOK_PERMISSIONS - {"business_management"}))
    sandboxes.connect(password="EAAGbare")
    assert listed() == []
    assert "business_management" in capfd.readouterr().out


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("path", ["me/businesses", "601/client_instagram_accounts"])
def test_trouble_is_no_short_list(sandboxes: Sandboxes, path: str) -> None:
    """While Meta cannot answer, the task fails and is retried: a list cut short would pass for a whole one."""
    down = ErrorEffect(2, http=500, message="Service temporarily unavailable")
    sandboxes.graph.faults.add(GraphFault(effect=down, path=path, times=None))
    with pytest.raises(ServerTrouble):
        listed()


def test_a_portfolio_of_many_accounts(sandboxes: Sandboxes) -> None:
    """A portfolio's list goes over as many pages as it takes."""
    many = [Account(id=f"178415{number:011d}", username=f"many_{number}") for number in range(230)]
    for account in many:
        sandboxes.world.put(account)
    sandboxes.world.put(Business(id="602", owned=tuple(account.id for account in many)))
    assert {account_id for chunk in listed() for account_id in chunk} == {
        account.id for account in sandboxes.world.accounts.values()
    }


def test_given_ids_are_described_and_never_lost(sandboxes: Sandboxes) -> None:
    """Filters on given ids ask Meta in batches; an id that cannot be read stays, for its transfer to fail by name."""
    given = [CLIENT.id, UNREADABLE, OWNED.id]
    assert listed(account_ids=given, minimum_followers=10) == [[UNREADABLE, OWNED.id]]
    assert len(sandboxes.graph.log) == 1


def test_allowed_but_invisible(sandboxes: Sandboxes, capfd: pytest.CaptureFixture[str]) -> None:
    """A name in allow that the token does not see is warned about."""
    assert listed(allow=["owned", "lost_brand"]) == [[OWNED.id]]
    assert "lost_brand" in capfd.readouterr().out


def connect_several(sandboxes: Sandboxes) -> tuple[str, str]:
    """Define a connection per business; the second one sees an account of the first, too."""
    first, second = list(sandboxes.world.accounts)[:2]
    sandboxes.world.businesses.clear()
    sandboxes.world.put(Token("EAAGone", "user", account_ids=(first,)))
    sandboxes.world.put(Token("EAAGtwo", "user", account_ids=(first, second)))
    sandboxes.connect("one", password="EAAGone")
    sandboxes.connect("two", password="EAAGtwo")
    sandboxes.connect("dead", password="EAAGdead")
    return first, second


def test_chunks_name_their_connection(sandboxes: Sandboxes) -> None:
    """Several connections give arguments for expand_kwargs; an account that two see goes to the first."""
    first, second = connect_several(sandboxes)
    assert listed(instagram_conn_ids="one, two") == [
        {"instagram_conn_id": "one", "account_ids": [first]},
        {"instagram_conn_id": "two", "account_ids": [second]},
    ]


def test_a_dead_connection_gets_a_chunk_of_its_own(sandboxes: Sandboxes) -> None:
    """A dead token or a missing connection costs the others nothing: its mapped task is the one that will fail."""
    first, second = connect_several(sandboxes)
    assert listed(instagram_conn_ids=["dead", "two", "missing"]) == [
        {"instagram_conn_id": "dead", "account_ids": None},
        {"instagram_conn_id": "two", "account_ids": [first, second]},
        {"instagram_conn_id": "missing", "account_ids": None},
    ]
    with pytest.raises(TokenExpired):
        listed(instagram_conn_id="dead")


def test_chunks_of_several_connections_stay_within_what_airflow_maps(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds for the chunks of all connections together; none mixes two connections."""
    connect_several(sandboxes)
    sandboxes.connect("many", extra={"account_ids": ",".join(map(str, range(1, 8)))})
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "4")
    found = listed(instagram_conn_ids=["dead", "many", "two"], chunk_size=1)
    assert [(chunk["instagram_conn_id"], len(chunk["account_ids"] or ())) for chunk in found] == [
        ("dead", 0),
        ("many", 4),
        ("many", 3),
        ("two", 2),
    ]


@pytest.mark.parametrize("arguments", [{"instagram_conn_ids": []}, {"instagram_conn_ids": "one", "account_ids": "1"}])
def test_contradictions(sandboxes: Sandboxes, arguments: dict[str, Any]) -> None:
    """No connection at all, or ids that could be anybody's, are refused in words."""
    with pytest.raises(ConfigurationError, match="instagram_conn_ids"):
        listed(**arguments)
    assert sandboxes.graph.log == ()
