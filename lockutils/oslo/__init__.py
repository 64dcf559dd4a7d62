"""The rest of oslo.concurrency's ``lockutils``, by its names."""
