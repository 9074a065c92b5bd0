"""Request path 1: from bytes on a socket to a typed call of a service."""
