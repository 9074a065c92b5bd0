"""The Python SDK beside those of others: what each costs and what each can, seen by test."""
