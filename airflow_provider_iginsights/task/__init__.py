"""What any operator needs around its work: arguments, dates of the run, checkpoint, waits, summary."""
