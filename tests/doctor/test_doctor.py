"""The doctor: what it says of a setup that is right, of each way to be wrong, and how it ends."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from google.cloud.bigquery import Dataset

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.doctor import scratch
from airflow_provider_iginsights.doctor.check import STATUSES
from airflow_provider_iginsights.doctor.checks import CHECKS
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import Business, GraphFault, NoUsageHeaders, ServedVersion, Token
from airflow_provider_iginsights.sandbox.graph.rules import UserMetric
from tests.doctor.conftest import APP, Ask
from tests.support.sandboxes import DATASET, NOW, Sandboxes

META = [check.name for check in CHECKS[: next(at for at, check in enumerate(CHECKS) if check.name == "credentials")]]
GOOGLE = [check.name for check in CHECKS[len(META) :]]
Break = Callable[[Sandboxes], object]
TOKEN = "EAAGbroken12345678"


class Case(NamedTuple):
    """A situation: what is wrong, the options, and words of the checks that then warn or fail."""

    break_it: Break
    failed: Mapping[str, str] = MappingProxyType({})
    warning: Mapping[str, str] = MappingProxyType({})
    options: tuple[str, ...] = ()
    mend: Break = lambda _: None


def no_change(sandboxes: Sandboxes) -> None:
    """Leave all as it is."""


def use(**changes: object) -> Break:
    """Return what gives the connection another token: that of the sandbox with these changes."""

    def put(sandboxes: Sandboxes) -> None:
        known = sandboxes.world.tokens[sandboxes.world.system_user_token]
        sandboxes.world.put(dataclasses.replace(known, value=TOKEN, **changes))  # type: ignore[arg-type]
        sandboxes.connect(password=TOKEN, extra=APP)

    return put


def connect(**changes: object) -> Break:
    """Return what changes fields of the connection."""
    return lambda sandboxes: sandboxes.connect(**{"extra": APP} | changes)


def untick(sandboxes: Sandboxes) -> None:
    """Let the permission for insights hold for the first account only."""
    use(targets={"instagram_manage_insights": (sandboxes.account.id,)})(sandboxes)


def own_by_portfolio(sandboxes: Sandboxes) -> None:
    """Let no account have a Page, and one be owned by a portfolio."""
    for account in list(sandboxes.world.accounts.values()):
        sandboxes.world.put(dataclasses.replace(account, page_id=""))
    sandboxes.world.put(Business("77", owned=(sandboxes.account.id,)))


def use_without_page(sandboxes: Sandboxes) -> None:
    """Let the account have no Page, and the token the permissions of Unified Login, which are none of Pages."""
    sandboxes.world.put(dataclasses.replace(sandboxes.account, page_id=""))
    use(permissions=frozenset({"instagram_basic", "instagram_manage_insights"}))(sandboxes)
    sandboxes.connect(password=TOKEN, extra=APP | {"account_ids": sandboxes.account.id})


def read_permissions(without: str = "", beside: str = "") -> frozenset[str]:
    """Return the permissions of the sandbox's tokens, one less or one more."""
    return (Token("", "user").permissions - {without}) | ({beside} if beside else set())


def fault(route: str, effect: str, body: str = "") -> Break:
    """Return what lets requests to BigQuery fail."""
    return lambda sandboxes: sandboxes.bigquery.faults.add(
        BigQueryFault(route, effect, body=body, times=None)  # type: ignore[arg-type]
    )


def throttle(sandboxes: Sandboxes) -> None:
    """Let all accounts have used their limit."""
    for account_id in sandboxes.world.accounts:
        sandboxes.graph.usage.set(account_id, 100)


def name_page(sandboxes: Sandboxes) -> None:
    """Name a Page where an account should be."""
    sandboxes.connect(extra=APP | {"account_ids": [sandboxes.account.page_id]})


def use_instagram_login(sandboxes: Sandboxes) -> None:
    """Connect to graph.instagram.com with the token of one account."""
    token = sandboxes.world.instagram_token(sandboxes.account.id)
    sandboxes.connect(password=token, host=sandboxes.graph.instagram_url, extra={})


def app_percent(percent: float) -> Break:
    """Return what lets the app have used so much of its limit."""
    return lambda sandboxes: setattr(sandboxes.graph.usage, "app_percent", percent)


META_CASES: dict[str, Case] = {
    "unknown connection": Case(
        no_change, {"connection": "Airflow knows no connection 'nowhere'."}, options=("--conn-id", "nowhere")
    ),
    "another type": Case(connect(conn_type="http"), {"connection": "is of the type 'http'"}),
    "token in quotes": Case(connect(password='"EAAGquoted1234567"'), {"connection": "stands in quotes"}),
    "foreign host": Case(connect(host="evil.test"), {"connection": "is not a Graph API host"}),
    "unused extra": Case(connect(extra=APP | {"app_sekret": "x"}), {}, {"connection": "not used: app_sekret."}),
    "unreachable host": Case(connect(host="http://127.0.0.1:1"), {"host": "No answer for the token"}),
    "wrong token": Case(connect(password="EAAGnobody12345678"), {"token": "Meta did not accept the token"}),
    "expired token": Case(use(expires_at=NOW - timedelta(days=1)), {"token": "The token has expired"}),
    "token that ends": Case(use(expires_at=NOW + timedelta(days=5)), {}, {"expiry": "It expires on 2026-11-26"}),
    "data access over": Case(
        use(kind="user", data_access_expires_at=NOW - timedelta(days=1)),
        {"expiry": "Meta's data access for it expired on 2026-11-20"},
        {"token": "The token of a person"},
    ),
    "no app": Case(
        connect(extra={}), {}, {"token": "Put app_id and app_secret", "expiry": "When it expires is not known."}
    ),
    "wrong secret": Case(
        connect(extra=APP | {"app_secret": "wrong"}), {"token": "app_id and app_secret do not belong together"}
    ),
    "token of another app": Case(
        use(app_id="312083254664235"), {}, {"token": "issued by another app", "expiry": "is not known"}
    ),
    "missing permission": Case(
        use(permissions=read_permissions(without="instagram_manage_insights")),
        {"permissions": "It lacks instagram_manage_insights (insights).", "insights": "2 of 2 were refused."},
    ),
    "missing permission of a Page": Case(
        use(permissions=read_permissions(without="pages_read_engagement")),
        {"permissions": "It lacks pages_read_engagement (the Page behind the account).", "insights": "were refused."},
    ),
    "permission to write": Case(
        use(permissions=read_permissions(beside="instagram_content_publish")),
        {},
        {"permissions": "can do more than read: instagram_content_publish."},
    ),
    "unticked account": Case(
        untick,
        {"insights": "1 of 2 were refused. 17841400000000002: "},
        {"assets": "instagram_manage_insights does not hold for 17841400000000002 @brand_0002."},
    ),
    "portfolio permission": Case(
        use(kind="user", permissions=read_permissions(without="business_management")),
        {"accounts": "It lacks business_management, and without that Meta leaves out the Pages"},
        {"token": "The token of a person"},
    ),
    "unlisted account": Case(
        use(account_ids=("17841400000000002",), permissions=read_permissions(without="business_management")),
        {"accounts": "no Instagram professional account, though it may read 17841400000000002 @brand_0002."},
    ),
    "account of a portfolio": Case(own_by_portfolio, {"accounts": "though it may read 17841400000000001 @brand_0001."}),
    "no accounts": Case(lambda sandboxes: sandboxes.world.accounts.clear(), {"accounts": "sees no Instagram"}),
    "Page id": Case(name_page, {"accounts": "is the id of a Page; its Instagram account is 17841400000000001."}),
    "unknown account": Case(
        connect(extra=APP | {"account_ids": "17840000000000000"}), {"accounts": "17840000000000000 cannot be read"}
    ),
    "unknown username": Case(connect(extra=APP | {"account_ids": "@nobody"}), {"accounts": "sees no account @nobody"}),
    "throttled accounts": Case(
        throttle,
        {"insights": "Meta's rate limit for", "rate_limit": " 100 % (blocked for 5 minutes)"},
    ),
    "throttled app": Case(app_percent(100), {"token": "Meta's rate limit", "rate_limit": "the app 100 %"}),
    "app near its limit": Case(app_percent(90), {}, {"rate_limit": "the app 90 %"}),
    "ended version": Case(
        no_change, {}, {"version": "v19.0 is set, and Meta serves v21.0 instead."}, ("--api-version", "v19.0")
    ),
    "version that ends": Case(
        no_change, {}, {"version": "Meta serves it until 2027-01-21."}, ("--api-version", "v21.0")
    ),
    "version of a later release": Case(
        lambda sandboxes: sandboxes.graph.faults.add(GraphFault(effect=ServedVersion("v28.0"), times=None)),
        {},
        {"version": "This release does not know v28.0."},
        ("--api-version", "v28.0"),
    ),
    "new metric": Case(
        lambda sandboxes: sandboxes.world.user_metrics.update(waves=UserMetric()), {}, {"catalogue": "waves"}
    ),
    "Instagram Login": Case(use_instagram_login, {}, {"expiry": "such a token lives 60 days"}),
}


def expire_posts(sandboxes: Sandboxes) -> None:
    """Let a table expire."""
    query(sandboxes, f"ALTER TABLE {DATASET}.instagram_media SET OPTIONS (partition_expiration_days = 400)")


def query(sandboxes: Sandboxes, sql: str) -> None:
    """Run a statement."""
    client = sandboxes.bigquery.client()
    client.query(sql).result()
    client.close()


def make_other_table(sandboxes: Sandboxes) -> None:
    """Let a table that no run has made yet be there, with a column of another type."""
    query(sandboxes, f"CREATE TABLE {DATASET}.instagram_story_polls (account_id INT64)")


def mend_tables(sandboxes: Sandboxes) -> None:
    """Take the options of tables away, and make the views anew."""
    query(sandboxes, f"ALTER TABLE {DATASET}.instagram_media SET OPTIONS (partition_expiration_days = NULL)")
    query(sandboxes, f"ALTER TABLE {DATASET}.instagram_account_insights SET OPTIONS (require_partition_filter = FALSE)")
    assert main(["tables", "--views", "--dataset", DATASET, "--skip-missing"]) == 0


def require_filter(sandboxes: Sandboxes) -> None:
    """Let a table require a filter that a view, which somebody has changed, does not have."""
    table = f"{DATASET}.instagram_account_insights"
    client = sandboxes.bigquery.client()
    view = client.get_table(f"{DATASET}.instagram_account_daily")
    view.view_query = f"SELECT * FROM `{view.project}.{table}`"
    client.update_table(view, ["view_query"])
    client.close()
    query(sandboxes, f"ALTER TABLE {table} SET OPTIONS (require_partition_filter = TRUE)")


GOOGLE_CASES: dict[str, Case] = {
    "no dataset": Case(no_change, {"dataset": "nowhere does not exist."}, options=("--dataset", "nowhere")),
    "other project": Case(no_change, {"dataset": "other-project.instagram"}, options=("--project", "other-project")),
    "no project id": Case(no_change, {"project": "is not a BigQuery project id"}, options=("--project", "No Project")),
    "wrong location": Case(no_change, {"location": "lies in US, not in EU."}, options=("--location", "EU")),
    "denied dataset": Case(fault("GET /.*/datasets/instagram$", "accessDenied"), {"dataset": "roles/bigquery.dataEd"}),
    "no jobs": Case(fault("POST /.*/jobs$", "accessDenied"), {"project": "roles/bigquery.jobUser"}),
    "no tables": Case(fault("POST /.*/tables$", "accessDenied"), {"create": "roles/bigquery.dataEditor"}),
    "no load": Case(fault("POST /upload/", "tableDenied"), {"load": "bigquery.tables.updateData denied"}),
    "no MERGE": Case(fault("POST /.*/jobs$", "tableDenied", "MERGE"), {"merge": "bigquery.tables.updateData denied"}),
    "no billing": Case(
        lambda sandboxes: setattr(sandboxes.bigquery.switches, "billing", False), {"billing": "Enable billing"}
    ),
    "encryption key": Case(fault("POST /.*/jobs$", "kmsDenied", "MERGE"), {"merge": "Cloud KMS CryptoKey"}),
    "expirations": Case(
        expire_posts, {}, {"expirations": "drops each partition 400 days after its day"}, mend=mend_tables
    ),
    "another table": Case(
        make_other_table,
        {"tables": "instagram_story_polls"},
        mend=lambda sandboxes: query(sandboxes, f"DROP TABLE {DATASET}.instagram_story_polls"),
    ),
    "partition filter": Case(require_filter, {"views": "instagram_account_daily"}, mend=mend_tables),
}


@pytest.mark.parametrize("case", META_CASES.values(), ids=META_CASES)
def test_what_is_wrong_at_meta(case: Case, healthy: Sandboxes, ask: Ask) -> None:
    """Each situation is found by the check that is about it, with words that tell it; no other warns or fails."""
    case.break_it(healthy)
    said = ask(*case.options, dataset=None)
    healthy.world.user_metrics.pop("waves", None)
    for status, wanted in (("failed", case.failed), ("warning", case.warning)):
        assert said.list_names(status) == [name for name in META if name in wanted]
        for name, words in wanted.items():
            assert words in f"{said[name]['found']} {said[name]['to_do']}"
    assert (said.code, said.status) == ((1, "failed") if case.failed else (3, "warning"))


@pytest.mark.parametrize("case", GOOGLE_CASES.values(), ids=GOOGLE_CASES)
def test_what_is_wrong_at_google(case: Case, healthy: Sandboxes, ask: Ask) -> None:
    """Each situation is found by the check that is about it; what Meta's side says does not change by it."""
    healthy.connect("nobody", conn_type="http")
    case.break_it(healthy)
    said = ask("--conn-id", "nobody", *case.options)
    case.mend(healthy)
    assert said.list_names("failed") == ["connection", *case.failed]
    assert said.list_names("warning") == [*case.warning]
    for name, words in {**case.failed, **case.warning}.items():
        assert words in f"{said[name]['found']} {said[name]['to_do']}"
    assert (said.code, said["next_run"]["status"]) == (1, "ok")


def test_all_is_right(healthy: Sandboxes, ask: Ask) -> None:
    """Where nothing is wrong every check says ok, accounts by id and username, and the code is 0."""
    said = ask()
    assert said.list_names("ok") == [*META, *GOOGLE]
    assert (said.code, said.status) == (0, "ok")
    assert said["accounts"]["found"] == "2 accounts: 17841400000000001 @brand_0001, 17841400000000002 @brand_0002."
    assert said["project"]["found"] == "Jobs run in sandbox-project, as sandbox@example.com."
    assert said["next_run"]["found"] == (
        "A run of schedule @daily (2026-11-21T00:00:00Z) reads the Pacific day 2026-11-19, one of "
        "CronDataIntervalTimetable in the zone America/Los_Angeles 2026-11-20; account insights also the 3 days before."
    )
    assert [set(row) for row in said.checks.values()] == [{"check", "about", "status", "found", "to_do"}] * len(CHECKS)


def test_an_account_without_a_page(healthy: Sandboxes, ask: Ask) -> None:
    """A token without the permissions for Pages is right where a request for insights is answered without them."""
    use_without_page(healthy)
    said = ask(dataset=None)
    assert (said.code, said.list_names("failed"), said.list_names("warning")) == (0, [], [])
    assert "It lacks pages_read_engagement (the Page behind the account), but" in said["permissions"]["found"]


def test_a_version_without_an_end(healthy: Sandboxes, ask: Ask) -> None:
    """Nothing is wrong with a version whose end Meta has not announced."""
    found = ask("--api-version", "v26.0", dataset=None)["version"]
    assert (found["status"], found["found"]) == ("ok", "v26.0 is set; Meta has announced no end of it.")


def test_meta_says_nothing_of_its_limits(healthy: Sandboxes, ask: Ask) -> None:
    """Where no answer has the headers, that is told, and is no fault."""
    healthy.graph.faults.add(GraphFault(effect=NoUsageHeaders(), times=None))
    found = ask(dataset=None)["rate_limit"]
    assert (found["status"], found["found"]) == ("ok", "Meta said nothing about it.")


def test_the_dataset_has_default_expirations(healthy: Sandboxes, ask: Ask) -> None:
    """They are told with the sentence that our tables do not inherit them."""
    client = healthy.bigquery.client()
    dataset = Dataset(f"{client.project}.expiring")
    dataset.default_table_expiration_ms = dataset.default_partition_expiration_ms = 30 * 86_400_000
    client.create_dataset(dataset)
    found = ask(dataset="expiring")["expirations"]
    client.delete_dataset(dataset, delete_contents=True)
    client.close()
    assert found["status"] == "ok"
    words = "new tables expire after 30 days and new partitions expire after 30 days; ours do not inherit that"
    assert words in found["found"]


def test_without_a_dataset(healthy: Sandboxes, ask: Ask) -> None:
    """Nothing of Google is asked where no dataset is named, and that is no fault."""
    before = len(healthy.bigquery.log)
    said = ask(dataset=None)
    assert (said.code, said.list_names("not checked")) == (0, GOOGLE)
    assert {said[name]["found"] for name in GOOGLE} == {"Not checked, since no --dataset was given."}
    assert len(healthy.bigquery.log) == before


def test_what_needs_a_failed_check_says_so(healthy: Sandboxes, ask: Ask) -> None:
    """A check whose ground is missing names the check that failed, over whatever detour, and asks nobody."""
    healthy.connect(host="http://127.0.0.1:1", extra=APP)
    said = ask(dataset=None)
    skipped = [name for name in META if said[name]["status"] == "not checked"]
    assert skipped == [name for name in META if name not in ("connection", "host", "next_run")]
    assert {said[name]["found"] for name in skipped} == {"Not checked, since host failed."}


def test_a_defect_stops_no_other_check(healthy: Sandboxes, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no check expects is one failed check; its words are told without what looks like a token."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("EAAGsecret12345678 is not what I expected")

    monkeypatch.setattr("airflow_provider_iginsights.hooks.token_report.find_missing_permissions", break_down)
    said = ask(dataset=None)
    assert said.list_names("failed") == ["permissions"]
    assert said["permissions"]["found"].startswith("The check stopped: RuntimeError: *** is not what I expected.")


@pytest.mark.parametrize("when", ["create_staging", "load", "merge_statement"])
def test_ctrl_c_leaves_nothing(
    healthy: Sandboxes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The scratch table is removed when somebody presses Ctrl-C, also right after the request that creates it."""
    original = getattr(scratch, when)

    def interrupt(*arguments: object, **named: object) -> None:
        original(*arguments, **named)
        seen.extend(name for name in healthy.bigquery.tables(DATASET) if name.startswith(scratch.PREFIX))
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setattr(scratch, when, interrupt)
    assert main(["doctor", "--dataset", DATASET]) == 130
    assert len(seen) == 1
    assert capsys.readouterr().err.endswith("Interrupted.\n")
    assert not [name for name in healthy.bigquery.tables(DATASET) if name.startswith(scratch.PREFIX)]


def test_the_scratch_table_expires(healthy: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scratch table that nobody removes, since the process was killed, is gone an hour later."""
    monkeypatch.setattr(scratch.ScratchTable, "remove", lambda self: None)
    assert main(["doctor", "--dataset", DATASET]) == 0
    client = healthy.bigquery.client()
    [left] = [table for table in client.list_tables(DATASET) if table.table_id.startswith(scratch.PREFIX)]
    found = client.get_table(left.reference)
    client.delete_table(found)
    client.close()
    assert timedelta(minutes=59) < found.expires - found.created <= timedelta(hours=1)


@pytest.mark.parametrize("columns", [80, 96, 130])
def test_the_lines_are_aligned(
    healthy: Sandboxes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Every line fits into the terminal; status, check and text begin where they begin in the other rows."""
    monkeypatch.setenv("COLUMNS", str(columns))
    healthy.connect(extra={})
    assert main(["doctor", "--dataset", DATASET]) == 3
    *lines, count = capsys.readouterr().out.splitlines()
    assert count == "20 ok, 2 warning, 1 not checked."
    assert max(map(len, lines)) <= columns
    assert "\t" not in "".join(lines)
    heads = [line for line in lines if not line.startswith(" ")]
    assert [line.split()[:2] for line in heads if line.startswith("warning")] == [
        ["warning", "token"],
        ["warning", "expiry"],
    ]
    assert [line[13:26].strip() for line in heads] == [*META, *GOOGLE]
    assert {line[12] + line[25] for line in lines} == {"  "}
    assert [line.strip()[:2] for line in lines].count("->") == 2


def test_the_checks_are_a_table() -> None:
    """Each check has a name of its own and needs only checks above it; the names of statuses are those of the JSON."""
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for at, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:at])
        assert check.about
    assert STATUSES == ("ok", "warning", "failed", "not checked")


@pytest.mark.parametrize("unset", ["BIGQUERY_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"])
def test_credentials_and_project(
    healthy: Sandboxes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unset: str
) -> None:
    """A machine without credentials, or without a project, is told so by the check of the credentials."""
    monkeypatch.delenv(unset)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "nowhere.json")
    assert main(["doctor", "--json", "--dataset", DATASET]) == 1
    found = {row["check"]: row for row in json.loads(capsys.readouterr().out)["checks"]}
    words = {"BIGQUERY_EMULATOR_HOST": "nowhere.json was not found", "GOOGLE_CLOUD_PROJECT": "No Google Cloud project"}
    assert words[unset] in found["credentials"]["found"]
    assert [row["status"] for row in found.values() if row["check"] in GOOGLE[1:]] == ["not checked"] * len(GOOGLE[1:])


@pytest.mark.skipif(bool(find_spec("airflow.providers.google")), reason="the provider is there")
def test_without_the_google_provider(healthy: Sandboxes, ask: Ask) -> None:
    """A Google connection without the provider that reads it is named with what to install."""
    said = ask("--gcp-conn-id", "google_cloud_default")
    assert said.list_names("failed") == ["credentials"]
    assert "pip install 'airflow-provider-iginsights[google]'" in said["credentials"]["found"]


DOCS = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")


def test_the_printed_session(
    healthy: Sandboxes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/doctor.md shows is what the command prints, but for the port."""
    command, _, printed = DOCS.partition("```console\n$ ")[2].partition("```")[0].partition("\n")
    monkeypatch.setenv("COLUMNS", "100")
    page, account = healthy.account.page_id, list(healthy.world.accounts)[1]
    healthy.connect(extra={"account_ids": [page, account]})
    assert main(shlex.split(command)[2:]) == 1
    said = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8001", capsys.readouterr().out)
    assert _without_counts(said) == _without_counts(printed)


def _without_counts(text: str) -> str:
    """Return a text on one line, without the numbers of tables and views, which grow with each release."""
    return re.sub(r"\d+ (?:of \d+ )?(exist|do not exist|can be read)", r"N \1", " ".join(text.split()))


def test_the_docs_name_every_check() -> None:
    """The table has each check with its words, in their order."""
    rows = [line.strip("| ").split(" | ")[:2] for line in DOCS.splitlines() if line.startswith("| `")]
    assert rows == [[f"`{check.name}`", check.about] for check in CHECKS]
