"""The command: ``airflow instagram …`` (Airflow 3.2+) and ``python -m airflow_provider_iginsights …`` (everywhere).

:mod:`.grammar` holds all subcommands and their options as data. :mod:`.definition` hands them to Airflow, :mod:`.main`
to argparse, and both carry them out by :mod:`.run`. A new subcommand is one row of the grammar and one function that
takes the options and returns an :class:`~.exit_codes.ExitCode`. Nothing imports this room.
"""
