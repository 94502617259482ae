"""How a neural model is loaded and run on a device, whatever it makes."""
