"""The machine at hand: kernels compiled for its processor or its GPU, and its memory."""
