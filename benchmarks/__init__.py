"""Studies too slow for the tests; each prints a table and writes JSON."""
