"""What a network computes layer by layer, for a page that shows it."""
