"""A week of 50 accounts with 20 stories a day, polled hourly with outages of 1 to 30 hours: what is caught, lost, told.

Run from the project's folder: ``python -m benchmarks.stories``. Takes some minutes.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "CRITICAL")

OUTAGES = ((6, 1), (14, 3), (28, 7), (46, 15), (72, 26), (110, 30))


def main() -> None:
    """Simulate and print; the exit code says whether the promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--stories", type=int, default=20)
    parser.add_argument("--hours", type=int, default=168)
    given = parser.parse_args()
    from tests.support.transfers.story_week import Setting, simulate

    logging.disable(logging.CRITICAL)
    setting = Setting(accounts=given.accounts, stories_per_day=given.stories, hours=given.hours, outages=OUTAGES)
    figures = simulate(setting)
    outages = ", ".join(str(length) for _, length in OUTAGES)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; outages of {outages} hours")
    for line in figures.describe():
        print(line)
    for fault in figures.faults:
        print(f"FAULT: {fault}")
    sys.exit(bool(figures.faults))


if __name__ == "__main__":
    main()
