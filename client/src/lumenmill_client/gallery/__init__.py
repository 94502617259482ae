"""The gallery of a run: one HTML file that contains all images and works offline."""

from lumenmill_client.gallery._gallery import write_gallery

__all__ = ["write_gallery"]
