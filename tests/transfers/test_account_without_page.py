"""An account that no Page stands for, such as one of Unified Login: only its id leads to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.sandbox.graph import Token
from tests.support.sandboxes import Sandboxes, facts

TOKEN = "EAAGunified1234567"


@pytest.fixture
def pageless(small_sandboxes: Sandboxes) -> Sandboxes:
    """Let the account have no Page, and the token no permission for Pages."""
    account = replace(small_sandboxes.account, page_id="")
    permissions = frozenset({"instagram_basic", "instagram_manage_insights"})
    small_sandboxes.world.put(account)
    small_sandboxes.world.put(Token(TOKEN, "system_user", account_ids=(account.id,), permissions=permissions))
    return small_sandboxes


def test_it_is_read_where_its_id_is_named(pageless: Sandboxes) -> None:
    """The same rows arrive as with the permissions for Pages; page_id is NULL."""
    pageless.connect(password=TOKEN, extra={"account_ids": pageless.account.id})
    summaries = [pageless.run(kind) for kind in ("account", "media", "story")]
    assert {str(finding["kind"]) for summary in summaries for finding in summary["left_out"]} <= {"NoData"}
    tables = ("account_insights", "media", "media_insights", "story_insights")
    found = {table: facts(f"instagram_{table}", pageless.rows(f"instagram_{table}")) for table in tables}
    assert all(found.values())
    assert [row["page_id"] for row in pageless.rows("instagram_accounts")] == [None]
    pageless.connect(password=pageless.world.system_user_token, extra={"account_ids": pageless.account.id})
    for kind in ("account", "media", "story"):
        pageless.run(kind)
    assert found == {table: facts(f"instagram_{table}", pageless.rows(f"instagram_{table}")) for table in tables}


def test_it_is_not_found_without_its_id(pageless: Sandboxes) -> None:
    """Meta lists no Page for it, so the error says to name the account."""
    pageless.connect(password=TOKEN, extra={})
    with pytest.raises(ConfigurationError, match=r"sees no Instagram account\. Set account_ids, or"):
        pageless.run("account")
    assert pageless.rows("instagram_account_insights") == []
