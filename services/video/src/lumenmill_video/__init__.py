"""Video: clips from words, images and control clips, with diffusion models."""
