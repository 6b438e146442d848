"""Write the README's reference tables and the rows' types anew from the catalog: ``make reference``."""

from __future__ import annotations

from pathlib import Path

import airflow_provider_iginsights
from airflow_provider_iginsights.catalog.reference import describe_row_types, rewrite

README = Path(__file__).parents[2] / "README.md"
ROWS = Path(airflow_provider_iginsights.__file__).parent / "catalog" / "rows.py"


def main() -> None:
    """Rewrite the sections of the README in place, and the module of the rows' types."""
    README.write_text(rewrite(README.read_text(encoding="utf-8")), encoding="utf-8")
    ROWS.write_text("\n".join(describe_row_types()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
