"""Rendering: variant, stage, tracer, denoiser, tone map, camera."""
