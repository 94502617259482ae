"""Physically rendered scenes, their light and their intrinsics, behind the imager, relighter and video contracts."""

__all__: list[str] = []
