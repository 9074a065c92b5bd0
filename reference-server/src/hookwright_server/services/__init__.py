"""Request path 2: one module per resource; it decides, inside a transaction."""
