"""Files in memory: EXR, PNG, H.264, Radiance."""
