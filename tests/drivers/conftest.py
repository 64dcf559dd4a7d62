import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for conformance, in any import mode
pytest.register_assert_rewrite("conformance")

from lock_peers import open_descriptors  # noqa: E402


@pytest.fixture
def no_descriptor_leaks(tmp_path):
    """The test ends with nothing open in its directory, be it removed since or not."""
    yield
    assert not [target for target in open_descriptors().values() if str(tmp_path) in target]
