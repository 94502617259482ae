"""The relighter: images under other lights, and taken apart, with diffusion models."""
