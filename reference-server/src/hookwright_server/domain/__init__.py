"""Rules without I/O.

Nothing here reads a clock, a socket, a file or a random source: time, randomness and
addresses are handed in, so every rule can be tested by calling it.
"""
