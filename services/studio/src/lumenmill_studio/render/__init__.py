"""Render scenes with Mitsuba: variant, stage, tracer, denoiser, tone map, camera."""
