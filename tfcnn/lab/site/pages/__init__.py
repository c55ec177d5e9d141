"""The pages, one folder each; `site_pages.Page` says what a folder holds."""
