"""What the light does in a picture, measured and said: the Lumenmill captioner service."""
