"""Locks on files of one host."""
