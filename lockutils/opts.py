"""The public name of ``lockutils.oslo.conf``, as oslo.concurrency has it."""

from lockutils.oslo.conf import list_opts, register_opts

__all__ = ["list_opts", "register_opts"]
