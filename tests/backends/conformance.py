"""The contract of a backend (lockutils/backends/base.py), tested once over every backend."""

import gc
import os
import signal
import sys
import threading
from time import monotonic

import pytest
from lock_peers import WATCHDOG, Background, open_descriptors, until
from stepping import PACKAGE, each_step

from lockutils.errors import LockPathError, SlotsMismatchError
from lockutils.parking.deadline import Deadline

if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

MODES = {
    "exclusive": {},
    "fair": {"fair": True},
    "shared": {"shared": True},
    "slots": {"slots": 2},
}
SHARING = ["shared", "slots"]


class Interrupted(BaseException):
    """What a signal handler raises."""


class Pending:
    """A request that is waited for, in the way that its backend has."""

    def __init__(self, request, how):
        self.request = request
        self.how = how
        #: how often the backend has called back
        self.calls = []
        self.changed = threading.Event()
        #: what the call-back returns
        self.answer = None
        if how == "start":
            assert request.start(self._call_back)
        else:
            self._call = Background(self._poll if how == "poll" else self._block)

    def _call_back(self):
        self.calls.append((self.request.grant, self.request.error))
        self.changed.set()
        return self.answer

    def _block(self):
        return self.request.block(forever())

    def _poll(self):
        until(self.request.try_now, "the lock is free")
        return True

    def result(self):
        """Whether it is held, in the end."""
        if self.how != "start":
            return self._call.result()
        assert self.changed.wait(WATCHDOG), "nobody calls back"
        if self.request.error is not None:
            raise self.request.error
        return self.request.grant is not None

    def is_over(self):
        return self.changed.is_set() if self.how == "start" else self._call.join(0)


def outcome_of(call, *args):
    """What it returns; or the error, if there can be none of this."""
    try:
        return call(*args)
    except LockPathError as error:
        return error


def forever():
    return Deadline(None, monotonic)


def in_seconds(timeout):
    return Deadline(timeout, monotonic)


def check_fork_of(request, other):
    """A child does not let go of what its parent has."""
    if (child := os.fork()) == 0:
        try:
            request.cancel()
            os._exit(request.grant is not None)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not other.try_and_release()


class BackendConformance:
    """A subclass has fixtures ``backend`` and ``elsewhere``, and says what its backend can do.

    ``elsewhere(**mode)`` is a contender of another process; it can ``begin`` to wait, say what
    it got by ``hear``, ``release`` and ``kill``.
    """

    #: whether a lock that is free is had without a round trip
    tries = True
    #: the ways to wait that it has; without one, the caller tries from time to time
    ways = ("block", "start")
    modes = tuple(MODES)
    #: whether waiters are served in the order of :meth:`enqueue`
    has_order = True
    #: where its files are
    modules = PACKAGE

    def pytest_generate_tests(self, metafunc):
        cls = metafunc.cls
        if "how" in metafunc.fixturenames:
            metafunc.parametrize("how", cls.ways or ("poll",))
        if "mode" in metafunc.fixturenames:
            metafunc.parametrize("mode", [MODES[name] for name in cls.modes], ids=cls.modes)

    @pytest.fixture
    def new_request(self, backend):
        made = []

        def new_request(key="key", **mode):
            made.append(backend.request(key, **mode))
            return made[-1]

        yield new_request
        for one in made:
            one.cancel()

    @pytest.fixture
    def is_open(self, elsewhere):
        """Wait until another process could have the lock: nobody holds it, and nobody wants it."""

        other = []

        def is_open():
            if not other:
                other.append(elsewhere(fair=True) if self.has_order else elsewhere())
            until(other[0].try_and_release, "nobody holds or wants the lock")

        return is_open

    def taken(self, request):
        """Whether a lock that should be free is held after a moment."""
        if self.tries:
            return request.try_now()
        return self.wait(request).result()

    def wait(self, request, how=None):
        return Pending(request, how or (self.ways or ("poll",))[-1])

    # --- exclusion

    def test_excludes_another_of_this_process_until_cancelled(self, new_request):
        first, second = new_request(), new_request()

        assert self.taken(first)
        assert not second.try_now()
        assert not second.try_now(True)
        assert second.grant is None
        first.cancel()
        assert first.grant is None
        second.cancel()

        third = new_request()
        assert self.taken(third)

    def test_excludes_another_process_until_cancelled(self, new_request, elsewhere):
        request, other = new_request(), elsewhere()
        assert self.taken(request)
        other.begin()
        other.is_waiting()

        request.cancel()

        assert other.hear() == "held"

    @pytest.mark.parametrize("ending", ["release", "kill"])
    def test_a_wait_ends_when_the_holder_does(self, new_request, elsewhere, ending, how, mode):
        other = elsewhere()
        other.hold()
        request = new_request(**({} if "slots" in mode else mode))
        assert not request.try_now()
        waiting = self.wait(request, how)

        getattr(other, ending)()

        assert waiting.result()
        assert request.grant is not None
        assert not new_request().try_now()

    def test_different_keys_do_not_meet(self, new_request):
        assert self.taken(new_request("one"))
        assert self.taken(new_request("two"))

    def test_a_failed_try_keeps_nobody_out(self, new_request, elsewhere, is_open):
        holder = elsewhere()
        holder.hold()
        for barging in (False, True):
            assert not new_request().try_now(barging)

        holder.release()

        is_open()

    # --- the grant

    def test_a_grant_is_there_while_it_is_held(self, new_request, mode):
        request = new_request(**mode)
        assert request.grant is None
        assert request.error is None

        assert self.taken(request)
        assert request.grant.valid_until > monotonic()
        request.cancel()

        assert request.grant is None

    def test_tokens_rise_or_there_are_none(self, new_request):
        tokens = []
        for _ in range(5):
            request = new_request()
            assert self.taken(request)
            tokens.append(request.grant.token)
            request.cancel()

        assert tokens == [None] * 5 or tokens == sorted(set(tokens))

    def test_it_is_published_when_all_of_it_is_held(self, new_request, elsewhere, mode):
        """Whoever sees it believes it."""
        request, other, seen = new_request(**mode), elsewhere(), []

        class Watched(type(request)):
            __slots__ = ()
            plain = vars(type(request)).get("grant")

            @property
            def grant(self):
                return seen[-1] if seen else None

            @grant.setter
            def grant(self, grant):
                if grant is not None:
                    assert not other.try_and_release()
                seen.append(grant)

        vars(request).pop("grant", None) if hasattr(request, "__dict__") else None
        request.__class__ = Watched
        assert self.taken(request)

        assert [grant for grant in seen if grant is not None]
        request.cancel()
        assert seen[-1] is None

    # --- waiting

    def test_a_deadline_passes(self, new_request, elsewhere, is_open, mode):
        holder = elsewhere()
        holder.hold()
        for timeout in (0.0, 0.02):
            request = new_request(**({} if "slots" in mode else mode))

            held = request.block(in_seconds(timeout))

            assert held is (False if "block" in self.ways else None)
            assert request.grant is None
            request.cancel()
        holder.release()
        is_open()

    # --- cancelling

    @pytest.mark.parametrize("times", [1, 3])
    @pytest.mark.parametrize("plight", ["new", "tried", "in line", "held"])
    def test_can_be_cancelled_at_any_time(
        self, new_request, elsewhere, is_open, plight, times, mode
    ):
        request, other = new_request(**mode), elsewhere()
        if plight in ("tried", "in line"):
            other.hold()
            assert not request.try_now() or mode
        if plight == "in line" and self.has_order and "slots" not in mode:
            request.enqueue()
        if plight == "held":
            assert self.taken(request)

        for _ in range(times):
            request.cancel()

        assert request.grant is None
        if plight in ("tried", "in line"):
            assert not new_request().try_now()  # none of it released the other's
            other.release()
        is_open()

    def is_in_line(self, request):
        """Return when it stands in line, where that takes a round trip."""

    def is_waiting(self, request):
        """Return when it waits; or at once, where that cannot be told."""

    @pytest.mark.parametrize("step", ["try_now", "enqueue", "start", "cancel"])
    def test_can_be_cancelled_at_each_instruction(self, new_request, is_open, step, mode):
        """The step may go on after that; its caller cancels in the end, as always."""
        requests = []
        for stepping in each_step(
            lambda: requests[-1].cancel(),  # noqa: PLW0108 - a new one each time
            self.modules,
            only_handlers=True,
        ):
            request = new_request(**mode)
            requests.append(request)
            if step == "cancel":
                assert self.taken(request)
            with stepping:
                outcome_of(getattr(request, step), *[lambda: None] * (step == "start"))
            request.cancel()
            assert request.grant is None
            if len(requests) % 20 == 0:
                is_open()
        is_open()
        assert len(requests) > 1

    @pytest.mark.parametrize("plight", ["held", "in line", "started"])
    def test_cancelled_again_after_an_exception_at_each_instruction(
        self, new_request, is_open, plight, mode
    ):
        def interrupt():
            raise Interrupted

        steps = 0
        for stepping in each_step(interrupt, self.modules, only_handlers=True):
            request = new_request(**mode)
            if plight == "held":
                assert self.taken(request)
            elif plight == "in line":
                if self.has_order:
                    request.enqueue()
            elif "start" in self.ways:
                request.start(lambda: None)
            try:
                with stepping:
                    request.cancel()
            except Interrupted:
                steps += 1
                request.cancel()
            assert request.grant is None
            if steps % 20 == 0:
                is_open()
        is_open()
        assert steps

    # --- children

    def test_what_is_not_held_is_not_handed_to_children(self, new_request):
        with pytest.raises(RuntimeError):
            new_request().hand_to_children()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_cancels_nothing_of_its_parents(self, new_request, elsewhere, mode):
        request, other = new_request(**mode), elsewhere()
        assert self.taken(request)
        check_fork_of(request, other)
        assert request.grant is not None
        request.cancel()
        until(other.try_and_release, "it is free")

    # --- the rest

    def test_names_the_holder_and_nobody_else(self, backend, elsewhere):
        assert backend.status("key") == ([], [])
        assert not backend.is_held("key")
        other = elsewhere()
        other.hold()

        holders, waiters = backend.status("key")

        assert [holder.pid for holder in holders] in ([other.pid], [None])
        assert not waiters
        assert backend.is_held("key")

    def test_names_who_waits(self, backend, new_request, elsewhere):
        if not self.has_order:
            return  # whoever polls is not seen
        other = elsewhere()
        other.hold()
        waiting = self.wait(new_request())
        until(lambda: backend.status("key")[1], "it waits")

        (holder,), (waiter,) = backend.status("key")

        assert holder.pid in (other.pid, None)
        assert waiter.pid in (os.getpid(), None)
        assert backend.status("key", waiters=False)[1] == []
        other.release()
        assert waiting.result()
        assert [one.pid for one in backend.status("key")[0]] in ([os.getpid()], [None])


class SharingConformance:
    """Of a backend that lets several hold."""

    def test_readers_share(self, new_request, elsewhere):
        reader, other, writer = new_request(shared=True), elsewhere(shared=True), new_request()
        assert self.taken(reader)
        other.hold()

        assert not writer.try_now(True)
        waiting = self.wait(writer)
        reader.cancel()
        assert not waiting.changed.wait(0.01)
        other.release()

        assert waiting.result()

    def test_as_many_hold_as_there_are_slots(self, new_request, elsewhere):
        assert self.taken(new_request(slots=2))
        other, third = elsewhere(slots=2), new_request(slots=2)
        other.hold()
        assert not third.try_now(True)
        waiting = self.wait(third)
        assert not waiting.changed.wait(0.01)

        other.release()

        assert waiting.result()

    def test_another_number_of_slots_is_an_error(self, new_request, elsewhere, how):
        elsewhere(slots=2).hold()

        with pytest.raises(SlotsMismatchError) as refusal:
            self.wait(new_request(slots=3), how).result()

        assert (refusal.value.slots, refusal.value.slots_in_use) == (3, 2)


class OrderConformance:
    """Of a backend that serves its waiters in the order in which they came."""

    def test_to_stand_in_line_grants_nothing(self, new_request, is_open):
        request = new_request(fair=True)

        request.enqueue()
        request.enqueue()

        assert request.grant is None
        request.cancel()
        is_open()

    def test_served_in_the_order_in_which_they_stand(self, new_request, elsewhere, how):
        holder, behind = elsewhere(fair=True), elsewhere(fair=True)
        holder.hold()
        request = new_request(fair=True)
        request.enqueue()
        self.is_in_line(request)
        behind.begin()
        behind.is_waiting()

        holder.release()

        assert self.wait(request, how).result()
        assert not behind.has_spoken()
        request.cancel()
        assert behind.hear() == "held"

    @pytest.mark.parametrize("served_first", [0, 1])
    def test_two_of_a_process_that_stand_in_the_other_order(
        self, new_request, elsewhere, served_first
    ):
        """The first in the process may have come to the line as the second."""
        holder = elsewhere(fair=True)
        holder.hold()
        both = [new_request(fair=True), new_request(fair=True)]
        for request in both:
            request.enqueue()
            self.is_in_line(request)
        between = elsewhere(fair=True)
        between.begin()
        between.is_waiting()
        first, second = both[served_first], both[not served_first]
        waiting = self.wait(first)

        holder.release()

        assert waiting.result()
        waiting = self.wait(second)
        first.cancel()
        assert waiting.result()
        second.cancel()
        assert between.hear() == "held"

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
    def test_those_who_give_up_leave_nothing_in_any_order(self, new_request, is_open, order):
        requests = [new_request(fair=True) for _ in order]
        for request in requests:
            request.enqueue()

        for number in order:
            requests[number].cancel()

        is_open()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_leaves_its_parents_place_in_line(self, new_request, elsewhere):
        request, other = new_request(fair=True), elsewhere(fair=True)
        request.enqueue()
        self.is_in_line(request)

        check_fork_of(request, other)

        request.cancel()
        until(other.try_and_release, "nobody is before it")


class BackgroundConformance:
    """Of a backend that waits in the background, or in the calling thread."""

    def test_the_call_back_comes_once(self, new_request, elsewhere):
        holder = elsewhere()
        holder.hold()
        request = new_request()
        waiting = self.wait(request, "start")

        holder.release()

        assert waiting.result()
        grant = request.grant
        assert waiting.calls == [(grant, None)]
        request.cancel()
        assert self.taken(new_request())
        assert len(waiting.calls) == 1

    def test_no_call_back_comes_after_it_was_cancelled(self, new_request, elsewhere, is_open):
        holder = elsewhere()
        holder.hold()
        request = new_request()
        waiting = self.wait(request, "start")

        request.cancel()
        holder.release()

        is_open()
        assert not waiting.calls
        assert request.grant is None
        assert request.error is None

    def test_a_waiter_that_can_never_run_has_nothing(self, new_request, elsewhere, is_open):
        holder = elsewhere()
        holder.hold()
        request = new_request()
        waiting = self.wait(request, "start")
        waiting.answer = False

        holder.release()

        assert waiting.changed.wait(WATCHDOG)
        is_open()
        assert request.grant is None

    @pytest.mark.parametrize("where", ["at the holder", "behind another"])
    def test_can_be_cancelled_by_another_thread(
        self, new_request, elsewhere, is_open, how, where, mode
    ):
        mode = {} if "slots" in mode else mode
        holder, before = elsewhere(**({"fair": True} if mode else {})), elsewhere(**mode)
        holder.hold()
        if where == "behind another":
            before.begin()
            before.is_waiting()
        request = new_request(**mode)
        waiting = self.wait(request, how)
        self.is_waiting(request)

        request.cancel()
        request.cancel()

        assert request.grant is None
        if how == "block":
            assert waiting.result() is False
        assert request.grant is None
        holder.release()
        if where == "behind another":
            assert before.hear() == "held"
            before.release()
        is_open()
        assert not waiting.calls


class BlockingConformance:
    """Of a backend that lets the calling thread sleep."""

    @pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signals")
    def test_can_be_cancelled_by_a_handler_in_the_thread_that_sleeps(
        self, new_request, elsewhere, is_open
    ):
        holder, request = elsewhere(), new_request()
        holder.hold()
        before = signal.signal(signal.SIGUSR1, lambda *_: request.cancel())
        try:
            interrupter = Background(self._interrupt_when_waiting, request)
            assert request.block(forever()) is False
            interrupter.result()
        finally:
            signal.signal(signal.SIGUSR1, before)

        assert request.grant is None
        holder.release()
        is_open()

    def _interrupt_when_waiting(self, request):
        self.is_waiting(request)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    def test_can_be_cancelled_at_each_instruction_of_a_wait(self, new_request, is_open, mode):
        requests, has_begun = [], False
        for stepping in each_step(
            lambda: requests[-1].cancel(),  # noqa: PLW0108 - a new one each time
            self.modules,
            only_handlers=True,
        ):
            request, deadline = new_request(**mode), forever()
            requests.append(request)
            with stepping:
                outcome = request.block(deadline)
            has_begun = has_begun or outcome is False
            assert request.grant is None or not (stepping.happened and has_begun), stepping.where
            assert outcome is (request.grant is not None) or stepping.happened
            request.cancel()
            if len(requests) % 20 == 0:
                is_open()
        is_open()
        assert has_begun


class FileConformance:
    """Of a backend whose locks are files of a directory."""

    @pytest.fixture
    def path(self, backend):
        return os.fsdecode(backend.file_of("key"))

    def test_a_lock_directory_that_is_missing_is_made(self, new_request, path):
        assert new_request().try_now()

        assert os.path.isfile(path)

    def test_leaves_no_descriptor_open(self, new_request):
        holder, loser = new_request(), new_request()
        before = open_descriptors()

        assert holder.try_now()
        assert not loser.try_now()
        loser.cancel()
        holder.cancel()

        assert open_descriptors().items() <= before.items()

    def test_a_lock_file_that_cannot_be_one_is_refused(self, backend, path, how):
        os.makedirs(path)
        before = open_descriptors()

        for call in (
            type(backend.request("key")).try_now,
            lambda request: self.wait(request, how).result(),
        ):
            refused = backend.request("key")
            with pytest.raises(LockPathError) as refusal:
                call(refused)
            refused.cancel()

            assert refusal.value.filename == path
            assert refused.grant is None
            del refused, refusal
        gc.collect()
        assert open_descriptors().items() <= before.items()

    def test_a_lock_directory_that_cannot_be_made_is_refused(self, new_request, backend):
        directory = os.fsdecode(backend.path)
        with open(directory, "w"):
            pass
        before = open_descriptors()

        with pytest.raises(LockPathError) as refusal:
            new_request().try_now()

        assert refusal.value.filename.startswith(directory)
        assert refusal.value.errno
        assert open_descriptors().items() <= before.items()

    def test_holds_nothing_after_a_refusal(self, new_request, path):
        os.makedirs(path)
        refused = new_request()
        with pytest.raises(LockPathError):
            refused.try_now()
        assert refused.grant is None

        os.rmdir(path)

        assert new_request().try_now()
