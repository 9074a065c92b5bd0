"""Measures what Hookwright promises, on the machine at hand."""
