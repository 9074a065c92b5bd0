"""One package per output: a backend that renders templates from the same `Api`."""
