"""Objective metrics, evaluation sets and reports."""
