"""Conditions of routes and policies: references, evaluation, and what each parent and target reports."""
