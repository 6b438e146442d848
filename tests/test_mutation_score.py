"""``make mutation-score`` changes what it says, and the page of proofs shows what it found."""

from __future__ import annotations

import re

import pytest

from tests.support.mutation_score.parts import LEAST, PARTS
from tests.support.pages import PACKAGE, ROOT

PAGE = (ROOT / "docs" / "proof.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([a-z ]+) \| (.+?) \| ([0-9,]+) \| ([0-9,]+) \| ([0-9.]+) % \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("part", PARTS)
def test_files_and_tests_are_there(part: str) -> None:
    """A file that is moved or renamed is still measured, and by tests that exist."""
    for file, tests in PARTS[part].items():
        assert (PACKAGE / file).is_file()
        assert all((ROOT / "tests" / test).is_file() for test in tests)


def test_the_page_shows_each_part_with_its_files() -> None:
    """The last row sums up the others; no score is below the least."""
    assert [name for name, *_ in ROWS] == [*PARTS, "all"]
    for name, files, *_ in ROWS[:-1]:
        assert re.findall(r"`([\w/]+\.py)`", files) == [*PARTS[name]]
    found, noticed = ([int(row[place].replace(",", "")) for row in ROWS] for place in (2, 3))
    assert (found[-1], noticed[-1]) == (sum(found[:-1]), sum(noticed[:-1]))
    for mutants, seen, (name, *_, score) in zip(found, noticed, ROWS, strict=True):
        assert f"{100 * seen / mutants:.1f}" == score, name
        assert 100 * seen >= LEAST * mutants, name


SOURCE = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from datetime import date
__all__ = ["find", "ROWS"]
ROWS: dict[str, int | None] = {"a": 1, "b": 2}
def find(name: str | None, *, least: int = 5) -> int | None:
    return ROWS[name] if name in ROWS and least > 4 else None
SQL = "SELECT 1 FROM t WHERE NOT a AND b IS NULL"
"""


def changes(file: str) -> set[tuple[str, str]]:
    """Return the operators with the changed lines, without blanks."""
    pytest.importorskip("cosmic_ray", reason="only the environment of make mutation-score has it")
    from tests.support.mutation_score.mutants import find_mutants

    return {(mutant.operator, re.sub(r"\s", "", mutant.after)) for mutant in find_mutants(file, SOURCE)}


def test_what_is_changed() -> None:
    """Code, and what stands in tables: elements, numbers, conditions; no annotation, no import for type checkers."""
    row, head = "ROWS:dict[str,int|None]={", "deffind(name:str|None,*,least:int="
    expected = [
        ("RemoveElement", f'{row}"a":1,}}'),
        ("RemoveElement", f'{row}"b":2,}}'),
        *(("NumberReplacer", f'{row}"a":{number},"b":2}}') for number in (0, 2)),
        *(("NumberReplacer", f'{row}"a":1,"b":{number}}}') for number in (1, 3)),
        *(("NumberReplacer", f"{head}{number})->int|None:") for number in (4, 6)),
        ("NumberReplacer", "returnROWS[name]ifnameinROWSandleast>3elseNone"),
        ("NumberReplacer", "returnROWS[name]ifnameinROWSandleast>5elseNone"),
        ("ReplaceComparisonOperator_Gt_GtE", "returnROWS[name]ifnameinROWSandleast>=4elseNone"),
        ("ReplaceComparisonOperator_Gt_LtE", "returnROWS[name]ifnameinROWSandleast<=4elseNone"),
        ("ReplaceAndWithOr", "returnROWS[name]ifnameinROWSorleast>4elseNone"),
        ("ReplaceMembership", "returnROWS[name]ifnamenotinROWSandleast>4elseNone"),
        ("AddNot", "returnROWS[name]ifnotnameinROWSandleast>4elseNone"),
    ]
    assert changes("window.py") == set(expected)


def test_words_of_sql_are_changed_where_the_package_writes_it() -> None:
    """One at a time, in texts alone."""
    found = {after for operator, after in changes("bigquery/merge.py") if operator == "ReplaceSql"}
    assert found == {
        'SQL="SELECT1FROMtWHEREaANDbISNULL"',
        'SQL="SELECT1FROMtWHERENOTaORbISNULL"',
        'SQL="SELECT1FROMtWHERENOTaANDbISNOTNULL"',
    }
