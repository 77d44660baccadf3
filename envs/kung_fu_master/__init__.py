"""Kung-Fu Master's RAM: where things are and what happened. To judge with, never to train."""
