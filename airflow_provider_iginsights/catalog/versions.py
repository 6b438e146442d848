"""Versions of the Graph API: when each came and went (Meta's Graph API changelog, state of 2026-11-27)."""

from __future__ import annotations

from datetime import date

# version: (released, last day on which Meta served it; None = not announced)
VERSIONS: dict[str, tuple[date, date | None]] = {
    "v10.0": (date(2021, 2, 23), date(2023, 6, 8)),
    "v11.0": (date(2021, 6, 8), date(2023, 9, 14)),
    "v12.0": (date(2021, 9, 14), date(2024, 2, 8)),
    "v13.0": (date(2022, 2, 8), date(2024, 5, 28)),
    "v14.0": (date(2022, 5, 25), date(2024, 9, 17)),
    "v15.0": (date(2022, 9, 15), date(2024, 11, 20)),
    "v16.0": (date(2023, 2, 2), date(2025, 5, 14)),
    "v17.0": (date(2023, 5, 23), date(2025, 9, 12)),
    "v18.0": (date(2023, 9, 12), date(2026, 1, 26)),
    "v19.0": (date(2024, 1, 23), date(2026, 5, 21)),
    "v20.0": (date(2024, 5, 21), date(2026, 9, 24)),
    "v21.0": (date(2024, 10, 2), date(2027, 1, 21)),
    "v22.0": (date(2025, 1, 21), date(2027, 5, 20)),
    "v23.0": (date(2025, 5, 29), date(2027, 10, 8)),
    "v24.0": (date(2025, 10, 8), date(2028, 2, 18)),
    "v25.0": (date(2026, 2, 18), date(2028, 7, 29)),
    "v26.0": (date(2026, 7, 29), None),
    "v27.0": (date(2026, 11, 4), None),
}


def was_served_on(version: str, day: date) -> bool:
    """Return whether Meta still answered as this version on that day; versions newer than the table count as served."""
    # META-31: Meta answers a version that has ended as another one, without an error.
    end = VERSIONS.get(version, (day, None))[1]
    return end is None or day <= end
