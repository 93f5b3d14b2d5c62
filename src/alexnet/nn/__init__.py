"""Networks that run: modules made of the descriptions in `alexnet.architectures`."""
