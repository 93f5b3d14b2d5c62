"""Networks for other runtimes."""
