"""The contract of a driver (lockutils/backends/base.py), tested once over every driver."""

import os

import pytest
from lock_peers import Background, open_descriptors, until, until_waited_for

from lockutils.backends.file.directory import Directory
from lockutils.errors import LockPathError

# Tries once; then goes on by the lines it is sent.
PEER = """
import os, sys
from lockutils.backends.file.directory import Directory
from {module} import {name} as Claim
claim = Claim(sys.argv[2], Directory(os.fsencode(sys.argv[1])))
print("held" if claim.try_acquire() else "busy", flush=True)
sys.stdin.readline()
claim.release()
print("released", flush=True)
sys.stdin.readline()
"""


class ClaimConformance:
    """A subclass names its driver as ``claim_type``."""

    claim_type: type

    @pytest.fixture
    def directory(self, tmp_path):
        return Directory(os.fsencode(tmp_path / "locks"))

    @pytest.fixture
    def path(self, directory):
        return os.fsdecode(directory.file_of("key"))

    @pytest.fixture
    def new_claim(self, directory):
        return lambda key="key": self.claim_type(key, directory)

    @pytest.fixture
    def try_elsewhere(self, peers, directory):
        """Start a process that tries the lock once: it says "held" or "busy"."""
        source = PEER.format(module=self.claim_type.__module__, name=self.claim_type.__name__)
        return lambda: peers.python(source, os.fsdecode(directory.path), "key")

    def wait_in_background(self, claim, path):
        """Return when the wait for a held lock has begun, or at once for a polled driver."""
        if not claim.can_block:
            return Background(until, claim.try_acquire, "the lock is free")
        waiting = Background(claim.block)
        until_waited_for(path)
        return waiting

    def test_excludes_a_second_claim_until_the_release(self, new_claim):
        first, second = new_claim(), new_claim()

        assert first.try_acquire()
        assert not second.try_acquire()
        assert not second.try_acquire()
        first.release()
        assert second.try_acquire()
        assert not first.try_acquire()
        second.release()
        assert first.try_acquire()

        first.release()

    def test_excludes_another_process_until_the_release(self, new_claim, try_elsewhere):
        claim = new_claim()
        assert claim.try_acquire()
        assert try_elsewhere().hear() == "busy"

        claim.release()

        assert try_elsewhere().hear() == "held"

    def test_is_excluded_by_another_process_until_its_release(self, new_claim, try_elsewhere):
        elsewhere = try_elsewhere()
        assert elsewhere.hear() == "held"
        claim = new_claim()
        assert not claim.try_acquire()

        assert elsewhere.ask() == "released"

        assert claim.try_acquire()
        claim.release()

    def test_different_keys_do_not_meet(self, new_claim):
        first, second = new_claim("one"), new_claim("two")

        assert first.try_acquire()
        assert second.try_acquire()

        first.release()
        second.release()

    def test_a_failed_try_keeps_nobody_out(self, new_claim, try_elsewhere):
        holder, loser = new_claim(), new_claim()
        assert holder.try_acquire()
        assert not loser.try_acquire()

        holder.release()

        assert try_elsewhere().hear() == "held"
        assert not loser.try_acquire()
        loser.release()

    def test_release_can_be_called_at_any_time_any_number_of_times(self, new_claim):
        claim, other = new_claim(), new_claim()

        claim.release()
        assert claim.try_acquire()
        claim.release()
        claim.release()
        assert other.try_acquire()
        assert not claim.try_acquire()
        claim.release()
        claim.release()

        assert not new_claim().try_acquire()  # none of it released the other
        other.release()

    def test_the_lock_of_a_killed_process_is_free(self, new_claim, try_elsewhere):
        elsewhere = try_elsewhere()
        assert elsewhere.hear() == "held"

        elsewhere.kill()

        claim = new_claim()
        assert claim.try_acquire()
        claim.release()

    @pytest.mark.parametrize("ending", ["release", "kill"])
    def test_a_wait_ends_when_the_holder_does(self, new_claim, try_elsewhere, path, ending):
        elsewhere = try_elsewhere()
        assert elsewhere.hear() == "held"
        claim = new_claim()
        assert not claim.try_acquire()
        waiting = self.wait_in_background(claim, path)

        if ending == "release":
            assert elsewhere.ask() == "released"
        else:
            elsewhere.kill()

        waiting.result()
        assert try_elsewhere().hear() == "busy"
        claim.release()

    def test_a_wait_goes_on_after_standing_aside(self, new_claim, try_elsewhere, path):
        elsewhere = try_elsewhere()
        assert elsewhere.hear() == "held"
        claim = new_claim()
        waiting = self.wait_in_background(claim, path)

        claim.stand_aside()
        assert elsewhere.ask() == "released"

        waiting.result()
        assert try_elsewhere().hear() == "busy"
        claim.release()

    def test_claims_for_one_thing_have_equal_resources(self, new_claim):
        assert new_claim().resource == new_claim().resource
        assert hash(new_claim().resource) == hash(new_claim().resource)
        assert new_claim("one").resource != new_claim("two").resource

    def test_names_the_holder_or_nobody(self, new_claim, try_elsewhere):
        claim = new_claim()
        assert claim.holder() is None
        elsewhere = try_elsewhere()
        assert elsewhere.hear() == "held"

        holder = claim.holder()

        assert holder is None or holder.pid == elsewhere.process.pid

    def test_a_lock_directory_that_is_missing_is_made(self, new_claim, path):
        claim = new_claim()

        assert claim.try_acquire()

        assert os.path.isfile(path)
        claim.release()

    def test_leaves_no_descriptor_open(self, new_claim):
        holder, loser = new_claim(), new_claim()
        before = open_descriptors()

        assert holder.try_acquire()
        assert not loser.try_acquire()
        loser.release()
        holder.release()

        assert open_descriptors().items() <= before.items()

    def test_a_lock_file_that_cannot_be_one_is_refused(self, new_claim, path):
        os.makedirs(path)
        before = open_descriptors()

        with pytest.raises(LockPathError) as refusal:
            new_claim().try_acquire()

        assert refusal.value.filename == path
        assert open_descriptors().items() <= before.items()

    def test_a_lock_directory_that_cannot_be_made_is_refused(self, tmp_path):
        (tmp_path / "file").touch()
        directory = tmp_path / "file" / "locks"
        before = open_descriptors()

        with pytest.raises(LockPathError) as refusal:
            self.claim_type("key", Directory(os.fsencode(directory))).try_acquire()

        assert refusal.value.filename.startswith(str(directory))
        assert refusal.value.errno
        assert open_descriptors().items() <= before.items()

    def test_holds_nothing_after_a_refusal(self, new_claim, path):
        os.makedirs(path)
        claim = new_claim()
        with pytest.raises(LockPathError):
            claim.try_acquire()

        os.rmdir(path)

        other = new_claim()
        assert other.try_acquire()
        assert not claim.try_acquire()
        other.release()
        assert claim.try_acquire()
        claim.release()
