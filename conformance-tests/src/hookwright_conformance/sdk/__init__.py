"""The SDK mode: cases that judge an SDK through its driver."""
