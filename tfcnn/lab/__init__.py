"""What a learner touches."""
