"""Metrics of locks for Prometheus: the public name of ``lockutils.observe.prometheus``."""

from lockutils.observe.prometheus import instrument

__all__ = ["instrument"]
