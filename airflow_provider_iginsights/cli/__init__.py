"""The command: ``airflow instagram …`` (Airflow 3.2+) and ``python -m airflow_provider_iginsights …`` (everywhere).

:mod:`.commands` holds all subcommands as data, :mod:`.options` their options. :mod:`.definition` declares them to
Airflow, :mod:`.main` to argparse, and both run them with :mod:`.run`. A new subcommand is one row of
:data:`.commands.COMMANDS` and one function that takes the options and returns an :class:`~.exit_codes.ExitCode`.
"""
