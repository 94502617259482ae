"""Scenes: words, specification, shapes, materials, composition."""
