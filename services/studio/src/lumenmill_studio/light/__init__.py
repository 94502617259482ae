"""Render lights: unit sources, emitters, the lights of a clip's frames, and the basis that mixes them."""
