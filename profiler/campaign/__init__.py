"""One run of a study: prepare, plan, measure in rounds, record."""
