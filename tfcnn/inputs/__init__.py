"""How files become batches: decoded once, then shuffled and augmented from memory."""
