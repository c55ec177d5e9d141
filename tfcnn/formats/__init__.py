"""What image files hold: their kinds, and samples that Pillow gives only in part."""
