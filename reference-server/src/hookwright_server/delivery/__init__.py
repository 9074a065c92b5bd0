"""The delivery path, in order: outbox, claim, sender (http1), recorder; engine is the loop."""
