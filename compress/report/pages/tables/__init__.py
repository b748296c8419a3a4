"""A record and its verdict as tables of text, one subject a file; every page shows them in its own way."""
