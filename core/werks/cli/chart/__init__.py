"""Candle charts of bars that a run has written: in the terminal and as one HTML page."""
