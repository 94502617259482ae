"""Subjects cut out of pictures: by a matte of the request, or by one estimated from the picture and its depth."""

from lumenmill_relighter.matting.estimate import estimated_matte
from lumenmill_relighter.matting.subject import GREY, cut_out, read_matte

__all__ = ["GREY", "cut_out", "estimated_matte", "read_matte"]
