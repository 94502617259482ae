"""What follows from a `Light`: colours, directions, attributes, words and differences, the same for every service."""
