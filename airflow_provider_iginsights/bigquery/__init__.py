"""All that talks to BigQuery: rows in, each exactly once. Knows no metric.

:class:`~.loader.BigQueryLoader` is what others use. Behind it, in the order of a load: :mod:`.ensure` (dataset,
tables, columns), :mod:`.row_file` (rows to a file), :mod:`.predecessors` (end what earlier tries left), :mod:`.stage`
(one load job), :mod:`.write` with the texts of :mod:`.merge` (new rows by one statement, changed ones by a second) and
:mod:`.duplicates` (no key twice). Beside it stand :mod:`.views` and :mod:`.duplicate_check`. All jobs run through
:mod:`.jobs`, all requests through :mod:`.retry`.
"""
