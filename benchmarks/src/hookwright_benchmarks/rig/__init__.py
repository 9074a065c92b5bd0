"""Processes that a measurement needs beside it: load, sink, server, stub, limit."""
