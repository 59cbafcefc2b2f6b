"""Readers of files that people bring; they run in a process of their own, see `..sandbox`."""
