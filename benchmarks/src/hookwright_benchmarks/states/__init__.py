"""The whole server against a small model of it: a Hypothesis state machine over the real API."""
