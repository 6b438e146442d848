"""Write the generated parts of docs/, and the rows' types, anew from the code: ``make reference``."""

from __future__ import annotations

from pathlib import Path

import airflow_provider_iginsights
from airflow_provider_iginsights.catalog.reference import describe_row_types, rewrite
from tests.support.diagrams import write_diagrams
from tests.support.pages import list_pages
from tests.support.reference_sections import SECTIONS

ROWS = Path(airflow_provider_iginsights.__file__).parent / "catalog" / "rows.py"


def main() -> None:
    """Rewrite the sections of all pages in place, the diagrams, and the module of the rows' types."""
    write_diagrams()
    for page in list_pages():
        page.write_text(rewrite(page.read_text(encoding="utf-8"), SECTIONS), encoding="utf-8")
    ROWS.write_text("\n".join(describe_row_types()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
