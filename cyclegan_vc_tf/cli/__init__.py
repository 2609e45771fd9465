"""Command line: one module per command, which parses flags, calls the API and prints."""
