"""The folder of one training: its checkpoints, its log, and whether they are sound."""
