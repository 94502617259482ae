"""Subjects cut out of pictures, by a matte that is estimated from the picture and its depth."""

from lumenmill_relighter.matting.estimate import estimated_matte

__all__ = ["estimated_matte"]
