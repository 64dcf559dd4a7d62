"""The driver for platforms without ``fcntl``; it works on the others, too."""

import pytest
from conformance import ClaimConformance

from lockutils.backends.windows import PortableClaim


class TestPortableClaim(ClaimConformance):
    claim_type = PortableClaim

    def test_is_polled(self, new_claim):
        claim = new_claim()

        assert not claim.can_block
        with pytest.raises(NotImplementedError):
            claim.block()
