"""Load jobs: newline-delimited JSON into a table, all rows or none, as strictly as BigQuery reads it.

The checks run as SQL over the raw lines (one pass that inserts, and a second one only to name what was wrong), so that
a few hundred megabytes take seconds. A blank line is skipped, a row of more than 16 MB is refused.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, fields_of, quote
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found, not_supported, translate
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, StoredTable, TableRef

__all__ = ["BadRow", "find_bad_rows", "insert_lines", "load", "target_of"]

_KNOWN_OPTIONS = {
    "allowJaggedRows", "allowQuotedNewlines", "autodetect", "createDisposition", "destinationEncryptionConfiguration",
    "destinationTable", "encoding", "ignoreUnknownValues", "maxBadRecords", "schema", "schemaUpdateOptions",
    "sourceFormat", "writeDisposition",
}  # fmt: skip
# One column, a separator that no line has, and no quotes: so each line comes as it stands, 16 MiB of it at most.
_LINES = (
    "read_csv(?, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false,"
    " auto_detect = false, max_line_size = 16777216)"
)
# JSON allows no bare control character in a text (RFC 8259, 7), so no valid row has this byte.
_SEPARATOR = b"\x01"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class BadRow:
    """A refused row: its number, counted from 1, and BigQuery's words for what is wrong."""

    number: int
    message: str


def target_of(options: Resource) -> TableRef:
    """Return the destination of a load configuration."""
    return TableRef.of(options["destinationTable"])


def load(storage: Storage, options: Resource, path: Path, *, location: str) -> int:
    """Load the file as configured; return the rows written. Raises BigQueryError, and then nothing is written."""
    _check_options(options)
    _check_text(path)
    table, fresh = _destination(storage, options, location)
    with table.lock:
        try:
            return _write(storage, table, options, path)
        except BigQueryError:
            # "jobs.insert": a load that fails leaves no table that it created.
            if fresh:
                storage.delete_table(table.ref)
            raise


def insert_lines(
    cursor: duckdb.DuckDBPyConnection,
    table: StoredTable,
    path: Path,
    fields: Sequence[SchemaField],
    *,
    ignore_unknown: bool = False,
    skip_bad: int = 0,
) -> int:
    """Insert the file's rows within the cursor's transaction; returns how many.

    Up to ``skip_bad`` bad rows are left out; with more, raises BigQueryError naming the first.
    """
    checked = _checked_sql(fields, ignore_unknown=ignore_unknown)
    names = ", ".join(quote(column.name) for column in fields)
    good = '"@problem" IS NULL' if skip_bad else """CASE WHEN "@problem" IS NULL THEN true ELSE error('bad') END"""
    try:
        if skip_bad and len(bad := find_bad_rows(cursor, path, fields, ignore_unknown=ignore_unknown)) > skip_bad:
            raise _too_many(bad)
        insert = f"INSERT INTO {table.physical} ({names}) SELECT {names} FROM ({checked}) WHERE {good}"
        row = cursor.execute(insert, [str(path)]).fetchone()
        return int(row[0]) if row else 0
    except duckdb.InvalidInputException as error:
        # A failed statement ends its transaction, so the culprit is looked for beside it.
        bad = []
        with cursor.cursor() as beside, suppress(duckdb.Error):
            bad = find_bad_rows(beside, path, fields, ignore_unknown=ignore_unknown)
        raise _too_many(bad or [BadRow(1, translate(error).message)]) from error


def find_bad_rows(
    cursor: duckdb.DuckDBPyConnection, path: Path, fields: Sequence[SchemaField], *, ignore_unknown: bool
) -> list[BadRow]:
    """Every row of the file that BigQuery would refuse, with the reason."""
    checked = _checked_sql(fields, ignore_unknown=ignore_unknown)
    problems = f'SELECT "@row", "@problem" FROM ({checked}) WHERE "@problem" IS NOT NULL ORDER BY 1'
    return [BadRow(*row) for row in cursor.execute(problems, [str(path)]).fetchall()]


def _destination(storage: Storage, options: Resource, location: str) -> tuple[StoredTable, bool]:
    """Return the destination, and whether it was created for this job."""
    ref = target_of(options)
    found = storage.find_table(ref, location=location)
    if found is not None:
        if found.physical is None:
            raise BigQueryError("invalid", f"Cannot load into the view {ref}.")
        return found, False
    if options.get("createDisposition") == "CREATE_NEVER":
        raise not_found("Table", str(ref))
    extras: Resource = {key: options[key] for key in ("timePartitioning", "clustering") if key in options}
    if key := options.get("destinationEncryptionConfiguration"):
        extras["encryptionConfiguration"] = key
    if not options.get("schema"):
        raise not_supported("A load into a new table without a schema", reason="invalid")
    return storage.create_table(ref, {"schema": options["schema"], **extras}), True


def _write(storage: Storage, table: StoredTable, options: Resource, path: Path) -> int:
    disposition = options.get("writeDisposition") or "WRITE_APPEND"
    before = table.physical, table.resource
    try:
        with storage.transaction() as cursor:
            fields = _prepare(storage, table, options, disposition, cursor)
            unknown, skip = bool(options.get("ignoreUnknownValues")), int(options.get("maxBadRecords") or 0)
            rows = insert_lines(cursor, table, path, fields, ignore_unknown=unknown, skip_bad=skip)
            storage.save(table, cursor)
            return rows
    except BaseException:
        table.physical, table.resource = before
        raise


def _prepare(
    storage: Storage, table: StoredTable, options: Resource, disposition: str, cursor: duckdb.DuckDBPyConnection
) -> tuple[SchemaField, ...]:
    """Empty, reshape or widen the table in the job's own transaction; returns the columns the file may have."""
    schema = options.get("schema") or table.resource["schema"]
    wanted = {column.name.lower(): column for column in fields_of(schema)}
    if disposition == "WRITE_TRUNCATE":
        # WRITE_TRUNCATE takes the job's schema and drops constraints, WRITE_TRUNCATE_DATA keeps both
        # ("JobConfigurationLoad").
        storage.replace_rows(table, schema, cursor)
        if key := options.get("destinationEncryptionConfiguration"):
            table.resource = {**table.resource, "encryptionConfiguration": key}
    elif disposition == "WRITE_TRUNCATE_DATA":
        cursor.execute(f"DELETE FROM {table.physical}")
    elif disposition == "WRITE_EMPTY" and cursor.execute(f"SELECT 1 FROM {table.physical} LIMIT 1").fetchone():
        raise BigQueryError("duplicate", f"Already Exists: Table {table.ref}")
    have = {column.name.lower(): column for column in table.fields}
    added = [column for name, column in wanted.items() if name not in have]
    # "JobConfigurationLoad", schemaUpdateOptions: without them a load does not widen its table.
    if added and "ALLOW_FIELD_ADDITION" not in options.get("schemaUpdateOptions", ()):
        raise _mismatch(table, f"Cannot add fields (field: {added[0].name})")
    for name, column in have.items():
        other = wanted.get(name)
        if other is None and column.required:
            raise _mismatch(table, f"Field {column.name} is missing in new schema")
        if other is not None and (other.kind, other.required) != (column.kind, column.required):
            raise _mismatch(table, f"Field {column.name} has changed type or mode")
    storage.add_columns(table, added, cursor)
    return tuple(wanted.values())


def _mismatch(table: StoredTable, how: str) -> BigQueryError:
    return BigQueryError("invalid", f"Provided Schema does not match Table {table.ref}. {how}")


def _checked_sql(fields: Sequence[SchemaField], *, ignore_unknown: bool) -> str:
    """Return a SELECT of every column's value, the row's "@row" and its "@problem", for one file name as parameter.

    The names it adds start with an @, which no BigQuery column can.
    """
    numbered = [(column, quote(f"@{index}")) for index, column in enumerate(fields, 1)]
    names = ", ".join(_literal(column.name) for column in fields)
    paths = ", ".join(_literal(f'$."{column.name}"') for column in fields)
    unknown = "NULL" if ignore_unknown else f"TRY(list_filter(json_keys(line), lambda k: k NOT IN ({names}))[1])"
    cells = ", ".join(f'"@raw"[{index}] AS {cell}' for index, (_, cell) in enumerate(numbered, 1))
    values = ", ".join(f"{column.kind.parse_sql(cell)} AS {quote(column.name)}" for column, cell in numbered)
    problems = ", ".join(_problem_sql(column, cell) for column, cell in numbered)
    return f"""
        SELECT *, coalesce(CASE WHEN "@raw" IS NULL THEN 'Parser terminated: the row is not a JSON object.' END,
                           'No such field: ' || "@unknown" || '.', {problems}) AS "@problem"
        FROM (SELECT *, {values}
        FROM (SELECT *, {cells}
        FROM (SELECT "@row", {unknown} AS "@unknown",
                     TRY(CASE WHEN json_type(line) = 'OBJECT' THEN json_extract(line, [{paths}]) END) AS "@raw"
        FROM (SELECT row_number() OVER () AS "@row", line FROM {_LINES}) WHERE trim(line) <> '')))"""


def _problem_sql(column: SchemaField, cell: str) -> str:
    """Return what is wrong with the column in a row, in BigQuery's words, or NULL."""
    missing = _literal(f"Missing required field: {column.name}.") if column.required else "NULL"
    array = _literal(f"Array specified for non-repeated field: {column.name}.")
    failed = _literal(f"Could not convert value to {column.kind.standard_name.lower()}. Field: {column.name}; Value: ")
    kind = "" if column.kind.name == "JSON" else f"WHEN json_type({cell}) = 'ARRAY' THEN {array} "
    return (
        f"CASE WHEN {cell} IS NULL OR json_type({cell}) = 'NULL' THEN {missing} {kind}"
        f"WHEN {quote(column.name)} IS NULL THEN {failed} || left(CAST({cell} AS VARCHAR), 100) END"
    )


def _check_options(options: Resource) -> None:
    """Refuse what a load could ask for and the sandbox does not do."""
    strange = sorted(key for key, value in options.items() if key not in _KNOWN_OPTIONS and value not in (None, [], {}))
    source = options.get("sourceFormat")
    # Refused, not ignored: a test would pass here, and the option would do something at Google.
    if options.get("autodetect") or strange:
        raise not_supported(f"A load with {', '.join(strange) or 'autodetect'}", reason="invalid")
    if source != "NEWLINE_DELIMITED_JSON":
        raise not_supported(f"The source format {source or 'CSV'}", reason="invalid")
    if set(options.get("schemaUpdateOptions", ())) - {"ALLOW_FIELD_ADDITION"}:
        raise not_supported("A schema update option other than ALLOW_FIELD_ADDITION", reason="invalid")


def _check_text(path: Path) -> None:
    """Refuse a file that is not UTF-8 text, naming the row."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    row = 1
    with path.open("rb") as lines:
        if lines.read(2) == b"\x1f\x8b":
            raise not_supported("A gzip-compressed load", reason="invalid")
        lines.seek(0)
        while chunk := lines.read(_CHUNK):
            if (at := chunk.find(_SEPARATOR)) >= 0:
                raise _too_many([BadRow(row + chunk.count(b"\n", 0, at), "Bad character: a bare control character.")])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                bad = BadRow(row + error.object.count(b"\n", 0, error.start), "Invalid UTF-8 character found.")
                raise _too_many([bad]) from None
            row += chunk.count(b"\n")
    if decoder.getstate()[0]:
        raise _too_many([BadRow(row, "Invalid UTF-8 character found at the end.")])


def _too_many(bad: Sequence[BadRow]) -> BigQueryError:
    first = bad[0]
    prefix = "Error while reading data, error message: JSON"
    return BigQueryError(
        "invalid",
        f"{prefix} table encountered too many errors, giving up. Rows: {first.number}; errors: {len(bad)}. Please look "
        f"into the errors[] collection for more details. (row {first.number}: {first.message})",
        # A job's errors are only the first ones ("JobStatus").
        details=tuple(f"{prefix} parsing error in row {row.number}: {row.message}" for row in bad[:5]),
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
