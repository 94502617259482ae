"""The imager: words to images, with diffusion models."""
