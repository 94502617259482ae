"""Words before pictures: the Lumenmill prompter service."""
