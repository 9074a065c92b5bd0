"""What operators see: meters, traces and the listener that serves them.

Protocols and silent implementations stand in `meters` and `traces`; the rest of the server knows
only those. The adapters `prometheus` and `otel` are constructed by `wiring`, and imported only
when they are switched on.
"""
