"""Live conversion of a stream of samples, with a constant delay."""
