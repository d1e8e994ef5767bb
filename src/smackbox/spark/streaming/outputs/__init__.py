"""Targets of a stream other than a table: each takes a batch under its number, which is the same in a repeat."""
