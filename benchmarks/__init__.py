"""What this project costs, measured: one module a question, python -m benchmarks.MODULE."""
