"""Ring 1: the wire to the warehouse. Rows in, exactly once. Knows no metric.

:class:`~.warehouse.Warehouse` is the door. Behind it, in the order of a load: :mod:`.ensure` (dataset, tables,
columns), :mod:`.spool` (rows to a file), :mod:`.tidy` (end what earlier tries left), :mod:`.stage` (one load job),
:mod:`.write` with the texts of :mod:`.merge` (one statement a target) and :mod:`.heal` (no key twice). Beside it stand
:mod:`.views` and :mod:`.check`. All jobs run through :mod:`.jobs`, all requests through :mod:`.calls`.
"""
