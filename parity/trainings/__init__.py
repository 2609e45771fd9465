"""Trainings in both frameworks, compared step by step."""
