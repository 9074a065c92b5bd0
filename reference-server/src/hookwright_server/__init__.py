"""The Hookwright reference server: openapi.yaml, run."""

__version__ = "0.1.0"
