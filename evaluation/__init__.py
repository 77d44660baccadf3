"""Judging trained agents: whole games, statistics, reports, videos."""
