"""``forget`` on tables that the operators wrote: what it erases, what it leaves, when it asks."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence

import pytest

from airflow_provider_iginsights.bigquery.erasure import Erased, Erasure
from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import AccountUnavailable
from airflow_provider_iginsights.sandbox.graph import Edit, GraphFault, World
from tests.support.sandboxes import DATASET, NOW, Row, Sandboxes, open_sandboxes

WHERE = ["--dataset", DATASET]


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Fill all seven tables with two accounts."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=4, stories_per_account=1)) as opened:
        for kind in ("account", "media", "story"):
            opened.run(kind, metrics=["reach"])
        yield opened


class Terminal(io.StringIO):
    """An input at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def without(tables: dict[str, list[Row]], column: str, value: str) -> dict[str, list[Row]]:
    """Return the rows of all tables that have another value there."""
    return {name: [row for row in rows if row.get(column) != value] for name, rows in tables.items()}


def counts(before: dict[str, list[Row]], after: dict[str, list[Row]]) -> list[str]:
    """Return the lines that tell how many rows went, independently counted."""
    gone = {name: len(before[name]) - len(after[name]) for name in before}
    return [f"sandbox-project.{DATASET}.{name}: {n} row{'' if n == 1 else 's'}" for name, n in gone.items()]


def test_an_account_is_erased_everywhere(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Each row of the account goes from all seven tables, the other account's stay, and a second run finds nothing."""
    before, account_id = sandboxes.everything(), sandboxes.account.id
    expected = without(before, "account_id", account_id)
    assert all(0 < len(expected[name]) < len(before[name]) for name in before)
    assert main(["forget", "--account", account_id, *WHERE, "--yes"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert sandboxes.everything() == expected
    assert sandboxes.staging() == []
    assert said[:7] == counts(before, expected)
    assert said[7:14] == [f"{line} erased" for line in said[:7]]
    total = sum(map(len, before.values())) - sum(map(len, expected.values()))
    assert said[14].startswith(f"Erased {total} rows of account {account_id}.")
    assert main(["forget", "--account", account_id, *WHERE, "--yes"]) == 1
    again = capsys.readouterr()
    assert again.out.splitlines() == counts(expected, expected)
    assert f"No table holds a row of account {account_id}" in again.err
    assert sandboxes.everything() == expected


def test_what_is_known_of_an_unavailable_account_is_erased(sandboxes: Sandboxes) -> None:
    """Where a transfer keeps the status of accounts, its rows go with the account."""
    gone = "17841400000000999"
    with pytest.raises(AccountUnavailable):
        sandboxes.run(
            "account", metrics=["reach"], account_ids=[sandboxes.account.id, gone], on_account_error="quarantine"
        )
    before = sandboxes.everything()
    assert [row["account_id"] for row in before["instagram_account_status"]] == [gone]
    assert main(["forget", "--account", gone, *WHERE, "--yes"]) == 0
    assert sandboxes.everything() == {name: rows for name, rows in without(before, "account_id", gone).items() if rows}


@pytest.mark.parametrize("table_id", ["instagram_media_insights", "instagram_story_insights"])
def test_a_post_is_erased_everywhere(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str], table_id: str) -> None:
    """A post and a story go from the media table and from the insights; profiles and polls are not about one post."""
    before = sandboxes.everything()
    media_id = before[table_id][0]["media_id"]
    expected = without(before, "media_id", media_id)
    assert len(before["instagram_media"]) - len(expected["instagram_media"]) == 1
    assert main(["forget", "--media", media_id, *WHERE, "--yes"]) == 0
    assert sandboxes.everything() == expected
    assert f"of media {media_id}." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2), ("yesterday\n", 2)], ids=repr
)
def test_it_asks_first(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, code: int
) -> None:
    """Only a clear yes erases; anything else, and the end of the input, leaves every row."""
    before, account_id = sandboxes.everything(), sandboxes.account.id
    monkeypatch.setattr(sys, "stdin", Terminal(given))
    assert main(["forget", "--account", account_id, *WHERE]) == code
    assert f"rows of account {account_id} for good? [y/N]" in capsys.readouterr().err
    assert sandboxes.everything() == (before if code else without(before, "account_id", account_id))


def test_without_a_terminal_it_refuses(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that does not say --yes erases nothing, even if a yes stands in its input."""
    before = sandboxes.everything()
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert main(["forget", "--account", sandboxes.account.id, *WHERE]) == 2
    assert "Nothing was erased. Where no terminal can ask, --yes" in capsys.readouterr().err
    assert sandboxes.everything() == before


def test_ctrl_c_at_the_question(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is one line and code 130, and nothing is erased."""

    class Interrupted(Terminal):
        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    before = sandboxes.everything()
    monkeypatch.setattr(sys, "stdin", Interrupted())
    assert main(["forget", "--account", sandboxes.account.id, *WHERE]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted."
    assert sandboxes.everything() == before


def test_a_task_that_writes_meanwhile_is_told(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that a task writes between the deletion and the last count are counted, and the code is 1."""
    delete, written = Erasure.delete, []

    def delete_and_load(self: Erasure, held: Sequence[Erased]) -> Iterator[Erased]:
        yield from delete(self, held)
        sandboxes.run("media", metrics=["reach"])
        written.extend(row for rows in sandboxes.everything().values() for row in rows)

    monkeypatch.setattr(Erasure, "delete", delete_and_load)
    account_id = sandboxes.account.id
    assert main(["forget", "--account", account_id, *WHERE, "--yes"]) == 1
    left = sum(row["account_id"] == account_id for row in written)
    assert left > 0
    said = capsys.readouterr().err
    assert f"A task has meanwhile written {left} rows of account {account_id}." in said
    assert "Take the account out of the Dags or the connection, then run this again." in said


def test_tables_with_other_ids(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables of another id are found by --table, several of one kind too; the default one is then not touched."""
    account_id = sandboxes.account.id
    sandboxes.run("account", table_id="brand_a")
    sandboxes.run("account", table_id="brand_b", profile_table_id="brand_b_profiles", load_mode="append")
    named = [f"--table=account_insights={name}" for name in ("brand_a", "brand_b")]
    assert main(["forget", "--account", account_id, *WHERE, *named, "--yes"]) == 0
    for table_id in ("brand_a", "brand_b"):
        left = {row["account_id"] for row in sandboxes.bigquery.rows(DATASET, table_id)}
        assert left == set(sandboxes.world.accounts) - {account_id}
    assert account_id in {row["account_id"] for row in sandboxes.rows("instagram_account_insights")}


def test_some_tables_may_be_missing(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that no operator has made are named and left out; a dataset with none of the tables is still an error."""
    with sandboxes.bigquery.client() as client:
        for name in ("instagram_story_polls", "instagram_account_insights", "instagram_accounts"):
            client.delete_table(f"{DATASET}.{name}")
        client.create_dataset("empty")
    account_id, skip = sandboxes.account.id, ("--yes", "--skip-missing")
    assert main(["forget", "--account", account_id, *WHERE, "--yes"]) == 0
    assert "sandbox-project.instagram.instagram_story_polls" in capsys.readouterr().err
    assert not [row for rows in sandboxes.everything().values() for row in rows if row["account_id"] == account_id]
    other = next(each for each in sandboxes.world.accounts if each != account_id)
    for dataset, more in (("empty", ("--yes",)), ("empty", skip), ("instagrm", skip)):
        assert main(["forget", "--account", other, "--dataset", dataset, *more]) == 2
    mistyped = ["--table", "accounts=brand_acounts"]
    assert main(["forget", "--account", other, *WHERE, "--yes", *mistyped]) == 2
    assert "There exists no table sandbox-project.instagram.brand_acounts." in capsys.readouterr().err
    assert main(["forget", "--account", other, *WHERE, *skip, *mistyped]) == 0


def test_a_missing_table_has_another_id(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the dataset has the table under another id, nothing is erased, and how to name it is said."""
    sandboxes.run("account", table_id="brand_numbers", profile_table_id="brand_profiles")
    with sandboxes.bigquery.client() as client:
        client.delete_table(f"{DATASET}.instagram_account_insights")
    before, account_id = sandboxes.everything(), sandboxes.account.id
    assert main(["forget", "--account", account_id, *WHERE, "--yes"]) == 2
    said = capsys.readouterr().err
    assert "no table sandbox-project.instagram.instagram_account_insights." in said
    assert "under other ids: --table account_insights=brand_numbers." in said
    assert sandboxes.everything() == before
    assert main(["forget", "--account", account_id, *WHERE, "--yes", "--table=account_insights=brand_numbers"]) == 0
    assert {row["account_id"] for row in sandboxes.bigquery.rows(DATASET, "brand_numbers")} == {
        each for each in sandboxes.world.accounts if each != account_id
    }


@pytest.mark.parametrize("kind", ["account", "media"])
def test_examples_of_what_was_left_out_are_erased(sandboxes: Sandboxes, kind: str) -> None:
    """Those of the post or the account, known by column or text; an id that begins alike is another one."""
    account_id, other = sandboxes.world.accounts
    sandboxes.graph.faults.add(GraphFault(effect=Edit("timestamp", lambda _: "no date"), times=None))
    sandboxes.run("media", metrics=["reach"], refresh_days=None, left_out_table_id=LEFT_OUT.default_id)
    before = sandboxes.rows(LEFT_OUT.default_id)
    media_id = next(row["object"].split()[-1] for row in before if row["account_id"] == account_id)
    erased = account_id if kind == "account" else media_id
    expected = [row for row in before if erased not in str(row)]
    assert 0 < len(expected) < len(before)
    assert {other} <= {row["account_id"] for row in expected}
    assert main(["forget", f"--{kind}", erased[:-1], *WHERE, "--yes"]) == 1
    assert sandboxes.rows(LEFT_OUT.default_id) == before
    assert main(["forget", f"--{kind}", erased, *WHERE, "--yes"]) == 0
    assert sandboxes.rows(LEFT_OUT.default_id) == expected
