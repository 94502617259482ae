"""Light: sources, units, harmonics, motion, and the basis that mixes them."""
