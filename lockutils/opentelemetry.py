"""Metrics of locks for OpenTelemetry: the public name of ``lockutils.observe.opentelemetry``."""

from lockutils.observe.opentelemetry import instrument

__all__ = ["instrument"]
