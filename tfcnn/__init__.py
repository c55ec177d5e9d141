"""tfcnn."""
