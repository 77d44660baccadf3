"""A run and what is kept of it: config, command line, run directory, checkpoints, loading."""
