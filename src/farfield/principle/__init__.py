"""Why symmetries hurt: the argument on problems that are small enough to see it."""
