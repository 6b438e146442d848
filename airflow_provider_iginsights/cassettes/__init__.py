"""Records what Meta answered to a run, without tokens, names, texts and real ids, and plays it to another run.

Start at :mod:`.recorder`, which the transport of ``graph`` calls, and :mod:`.replay`. :mod:`.replacing` decides what of
an answer is kept, and :mod:`.files` is the form on the disk.
"""
