"""Tests of Kung-Fu Master's own."""
