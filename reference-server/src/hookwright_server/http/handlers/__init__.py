"""One module per tag: from typed requests to calls of a service, and back to documents."""
