"""The doctor: looks at all that a run needs, and says of each thing whether it is right, and what to do.

:mod:`.checks` holds the checks as data, each with a function that looks at the :mod:`.setup` and returns a finding;
:mod:`.check` carries them out, one after the other, whatever each of them meets; :mod:`.table` shows the results.
"""
