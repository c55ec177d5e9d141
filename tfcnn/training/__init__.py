"""From a recipe to a run: strategy, precision, training form, saved form, resume."""
