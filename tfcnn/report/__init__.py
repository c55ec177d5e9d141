"""`report.html`: a run's result, what it rests on and how to use it, on one page."""
