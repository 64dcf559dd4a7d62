"""``CONF`` as oslo.concurrency's ``lockutils`` has it: with the options registered."""

from __future__ import annotations

from oslo_config.cfg import CONF

from lockutils.oslo.conf import register_opts

__all__ = ["CONF"]

register_opts(CONF)
