"""Training (§5): the loop, what changes while a network learns, and how it is saved and left."""
