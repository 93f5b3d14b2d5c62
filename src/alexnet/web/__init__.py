"""The local page: pictures in, what a network makes of them out, for people and programs."""
