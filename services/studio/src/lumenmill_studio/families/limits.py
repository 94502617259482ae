"""Bounds of the studio family, as declared in GetModel and checked in requests."""

MAX_SIZE_PX = 2048
SIZE_MULTIPLE_PX = 2
MAX_BATCH = 64
MAX_NUM_FRAMES = 480
# Slower than a slide show, and the bound of the contract.
MIN_FPS, MAX_FPS = 0.1, 240.0
