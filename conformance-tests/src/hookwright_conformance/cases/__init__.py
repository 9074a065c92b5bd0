"""The cases, one module per subject.

Each is a function that gets a `World` and returns, or raises `Unmet`.
"""
