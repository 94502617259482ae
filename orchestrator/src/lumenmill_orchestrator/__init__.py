"""Recipes to datasets, durably: the orchestrator of the mesh."""
