"""The turn within this process."""
