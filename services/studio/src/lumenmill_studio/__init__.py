"""Render scenes, their light and their intrinsic maps, behind the imager, relighter and video contracts."""

__all__: list[str] = []
