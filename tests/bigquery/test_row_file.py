"""Rows on their way: what a column takes, what it refuses and in which words, and that memory stays flat."""

from __future__ import annotations

import hashlib
import json
import math
import resource
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.bigquery import row_file as spool_module
from airflow_provider_iginsights.bigquery.encode import ENCODERS, UnstorableValue
from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.catalog.columns import ColumnType
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS, MEDIA, TABLES, Table
from airflow_provider_iginsights.errors import LoadError, RowRefused
from tests.support.bigquery import rows

BERLIN = timezone(timedelta(hours=2))


def lines(row_file: RowFile) -> list[dict[str, object]]:
    """Return what a load job would read."""
    return [json.loads(line) for line in row_file.reading().read().splitlines()]


@pytest.mark.parametrize(
    ("column_type", "value", "expected"),
    [
        ("STRING", "", '""'),
        ("STRING", 'a\x00\n"\\', '"a\\u0000\\n\\"\\\\"'),
        ("INT64", 0, "0"),
        ("INT64", 2**53, "9007199254740992"),
        ("INT64", 2**53 + 1, '"9007199254740993"'),
        ("INT64", -(2**63), '"-9223372036854775808"'),
        ("NUMERIC", 17, "17"),
        ("NUMERIC", 2**53 + 1, '"9007199254740993"'),
        ("NUMERIC", 0.1, '"0.1"'),
        ("NUMERIC", -0.0, '"0"'),
        ("NUMERIC", 1e22, '"10000000000000000000000"'),
        ("NUMERIC", Decimal("100"), '"100"'),
        ("NUMERIC", Decimal("1.0000000005"), '"1.000000001"'),
        ("NUMERIC", Decimal("-1.0000000005"), '"-1.000000001"'),
        ("NUMERIC", Decimal("1.00000000049"), '"1"'),
        ("NUMERIC", Decimal("1e-20"), '"0"'),
        ("NUMERIC", Decimal("9" * 29 + "." + "9" * 9), f'"{"9" * 29}.{"9" * 9}"'),
        ("BOOL", True, "true"),
        ("BOOL", False, "false"),
        ("DATE", date(2026, 11, 20), '"2026-11-20"'),
        ("DATE", "2026-11-20", '"2026-11-20"'),
        ("TIMESTAMP", "2026-11-20T08:00:00Z", '"2026-11-20T08:00:00.000000Z"'),
        ("TIMESTAMP", "2026-11-20T08:00:00+0000", '"2026-11-20T08:00:00.000000Z"'),
        ("TIMESTAMP", "2026-11-20T08:00:00.5-08:00", '"2026-11-20T16:00:00.500000Z"'),
        ("TIMESTAMP", datetime(2026, 11, 20, 8, tzinfo=BERLIN), '"2026-11-20T06:00:00.000000Z"'),
    ],
)
def test_values_are_written_as_bigquery_reads_them(column_type: ColumnType, value: object, expected: str) -> None:
    """Each type has one spelling; what JSON would turn into a double travels as a string."""
    assert ENCODERS[column_type](value) == expected


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("STRING", 1),
        ("STRING", b"x"),
        ("STRING", ["x"]),
        ("INT64", True),
        ("INT64", 1.0),
        ("INT64", "1"),
        ("INT64", 2**63),
        ("INT64", -(2**63) - 1),
        ("NUMERIC", True),
        ("NUMERIC", "1"),
        ("NUMERIC", math.nan),
        ("NUMERIC", math.inf),
        ("NUMERIC", Decimal("NaN")),
        ("NUMERIC", Decimal("-Infinity")),
        ("NUMERIC", 10**29),
        ("NUMERIC", -(10**29)),
        ("NUMERIC", 1e300),
        ("NUMERIC", Decimal("9" * 29 + "." + "9" * 10)),
        ("BOOL", 1),
        ("BOOL", "true"),
        ("DATE", "2026-02-30"),
        ("DATE", "yesterday"),
        ("DATE", datetime(2026, 11, 20, tzinfo=UTC)),
        ("DATE", 20261120),
        ("TIMESTAMP", "2026-11-20T08:00:00"),
        ("TIMESTAMP", datetime(2026, 11, 20)),  # noqa: DTZ001
        ("TIMESTAMP", "noon"),
        ("TIMESTAMP", 1763625600),
        ("TIMESTAMP", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_values_that_do_not_fit_are_refused(column_type: ColumnType, value: object) -> None:
    """Nothing is bent to fit."""
    with pytest.raises(UnstorableValue, match=r"^needs "):
        ENCODERS[column_type](value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28))
def test_numeric_is_exact(value: Decimal) -> None:
    """Every NUMERIC comes back as the same number."""
    assert Decimal(json.loads(ENCODERS["NUMERIC"](value), parse_float=Decimal, parse_int=Decimal)) == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_exact(text: str) -> None:
    """Every text comes back as the same text, on one line of the file."""
    with RowFile(rows.target(MEDIA)) as row_file:
        row_file.write(rows.row(MEDIA, 1) | {"caption": text})
        assert row_file.reading().read().count(b"\n") == 1
        assert lines(row_file)[0]["caption"] == text


_SOME_TEXT = st.sampled_from(["", "reach", "views", "a|b", 'say "x"', "É"])
_SOME_ROW = st.fixed_dictionaries(
    {"metric": _SOME_TEXT, "breakdown": _SOME_TEXT, "breakdown_value": _SOME_TEXT, "value": st.integers(0, 3)},
    optional={
        "end_time": st.sampled_from([None, "2026-11-20T08:00:00.000000Z", "2026-11-21T08:00:00.000000Z"]),
        "api_version": st.sampled_from([None, "v25.0", "v26.0"]),
    },
)


@given(st.lists(_SOME_ROW, max_size=20))
def test_what_is_remembered_is_never_mistaken(changes: list[dict[str, object]]) -> None:
    """Rows that share values, in any order and with columns left out, come back each as it was."""
    left_out = {"end_time", "api_version"}
    base = {name: value for name, value in rows.row(ACCOUNT_INSIGHTS, 1).items() if name not in left_out}
    with RowFile(rows.target()) as row_file:
        for change in changes:
            row_file.write(base | change)
        for written, change in zip(lines(row_file), changes, strict=True):
            given_values = {name: value for name, value in change.items() if value is not None}
            assert {name: written[name] for name in given_values} == given_values
            assert left_out.intersection(written) == left_out.intersection(given_values)


def test_a_misspelt_column_is_refused() -> None:
    """A row of the right length with a wrong name is not taken for a row without that column."""
    with RowFile(rows.target(ACCOUNTS)) as row_file:
        row = rows.row(ACCOUNTS, 1)
        row["web_site"] = row.pop("website")
        with pytest.raises(RowRefused, match="the table has no column web_site"):
            row_file.write(row)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reach": 1}, "the table has no column reach"),
        ({"value": None}, "column value is required and has no value"),
        ({"value": True}, "column value needs a number, not bool"),
        ({"metric": "\ud800"}, "column metric is not valid Unicode text"),
        ({"window_start": "soon"}, "column window_start needs a time"),
        ({"breakdown": ["age"]}, "column breakdown needs text, not list"),
        ({"value": {"18-24": 1}}, "column value needs a number, not dict"),
        ({"end_time": {}}, "column end_time needs a time, not dict"),
    ],
)
def test_a_refusal_names_table_key_and_column(changes: dict[str, object], said: str) -> None:
    """Whoever reads the message finds the row; long keys are cut; a refused row leaves no trace in the file."""
    with RowFile(rows.target()) as row_file:
        row_file.write(rows.row(ACCOUNT_INSIGHTS, 1))
        before = (row_file.rows, row_file.size, row_file.payload, row_file.days)
        with pytest.raises(RowRefused) as refusal:
            row_file.write(rows.row(ACCOUNT_INSIGHTS, 2) | {"breakdown_value": "x" * 5000} | changes)
        assert (row_file.rows, row_file.size, row_file.payload, row_file.days) == before
        assert len(lines(row_file)) == 1
    for text in ("p-1.d.instagram_account_insights", "account_id='account_id-2'", said):
        assert text in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_a_row_without_its_required_column_is_refused() -> None:
    """Absent and None are the same: nullable columns may be left out, required ones may not."""
    row = rows.row(ACCOUNTS, 1)
    with RowFile(rows.target(ACCOUNTS)) as row_file:
        row_file.write({name: value for name, value in row.items() if name != "website"})
        with pytest.raises(RowRefused, match="column account_id is required"):
            row_file.write({name: value for name, value in row.items() if name != "account_id"})
        assert "website" not in lines(row_file)[0]


def test_a_row_larger_than_bigquery_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts bytes, not characters."""
    monkeypatch.setattr(spool_module, "MAX_BYTES", 2000)
    with RowFile(rows.target(MEDIA)) as row_file:
        row_file.write(rows.row(MEDIA, 1) | {"caption": "x" * 1000})
        with pytest.raises(RowRefused, match="larger than the 100 MB"):
            row_file.write(rows.row(MEDIA, 1) | {"caption": "🌅" * 1000})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_spool_knows_what_it_holds(table: Table) -> None:
    """Count, size, hash and days are those of the file."""
    made = rows.rows(table, range(40))
    with RowFile(rows.target(table)) as row_file:
        for row in made:
            row_file.write(row)
        content = row_file.reading().read()
        assert (row_file.rows, row_file.size) == (40, len(content))
        assert row_file.payload == hashlib.sha256(content).hexdigest()
        assert row_file.days == sorted({str(row[table.partition_by]) for row in made})
        assert (row_file.partitions.start, row_file.partitions.end) == (row_file.days[0], row_file.days[-1])


def test_memory_stays_flat() -> None:
    """Twenty times as many rows take no more memory."""
    peaks = []
    for count in (1_000, 20_000):
        with RowFile(rows.target(ACCOUNT_INSIGHTS)) as row_file:
            made = rows.rows(ACCOUNT_INSIGHTS, range(1000))
            tracemalloc.start()
            for number in range(count):
                row_file.write(made[number % 1000])
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000


def test_writing_into_a_closed_file_says_so() -> None:
    """A task that Airflow stops discards its rows while it still reads: that is told in words, too."""
    row_file = RowFile(rows.target(ACCOUNT_INSIGHTS))
    row_file.close()
    with pytest.raises(LoadError, match="already discarded"):
        fill(row_file)


def test_a_closed_spool_says_so() -> None:
    """Rows that were discarded are not loaded as if there had been none."""
    row_file = RowFile(rows.target())
    row_file.write(rows.row(ACCOUNT_INSIGHTS, 1))
    row_file.close()
    row_file.close()
    with pytest.raises(LoadError, match="already discarded"):
        row_file.reading()


def fill(row_file: RowFile) -> None:
    """Write more rows than wait for others, and begin to read them."""
    for number in range(2_000):
        row_file.write(rows.row(ACCOUNT_INSIGHTS, number))
    row_file.reading()


@pytest.mark.parametrize("room", [0, 30_000])
def test_a_full_disk_is_named(room: int) -> None:
    """Whether the first line or a later one has no room: folder, table and what to do are said; closing says nothing.

    A limit of the size of files stands for the disk; both are an OSError of the same write.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    row_file = RowFile(rows.target(ACCOUNT_INSIGHTS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(LoadError, match=r"p-1\.d\.instagram_account_insights .* TMPDIR") as raised, row_file:
            fill(row_file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(raised.value.__cause__, OSError)


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without a usable folder for temporary files is told so before anything is fetched."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(LoadError, match="in /nowhere of the worker: No such file or directory"):
        RowFile(rows.target(ACCOUNT_INSIGHTS))
