"""``python -m airflow_provider_iginsights …``: the commands of :mod:`.cli` where Airflow offers none of providers."""

import sys

from airflow_provider_iginsights.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
