"""Faults of every kind on processes that share locks, judged by a witness: scripts/torture."""
