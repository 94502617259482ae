"""The gallery of a run: one HTML file with every picture in it, to be looked at offline."""

from lumenmill_client.gallery._gallery import write_gallery

__all__ = ["write_gallery"]
