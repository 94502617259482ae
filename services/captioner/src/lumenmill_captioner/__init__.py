"""The Lumenmill captioner service: measures the light of a picture and describes it."""
