"""Finished tables in, one self-contained HTML file out."""
