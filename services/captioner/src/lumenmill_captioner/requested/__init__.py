"""Requested light: what it should look like in a picture, from the picture's camera."""
