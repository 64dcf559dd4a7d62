"""No two names share a lock file, and no name leaves the lock directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lockutils
from lockutils.backends.file.naming import file_name_of, key_of, key_of_file

SHORTEST_LIMIT, USUAL_LIMIT = 143, 255  # in bytes: eCryptfs, everybody else

# --- names that might collide


def name_of_file(key, limit=USUAL_LIMIT):
    return file_name_of(key, lambda: limit)


FRAGMENTS = st.sampled_from(
    [
        *("%", "%%", "%~", "%2", "%2F", "%2f", "%25", "%252F", "%00", "%2E", "%E", "~", "2F"),
        *(".", "..", "/", "../", "\\", "-", "_", " ", ":", "a", "B", "0" * 64),
        *("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\ufeff"),
        *("é", "e\u0301", "\U0001f512", "\ud83d", "\udd12", "\udc80", "\udfff", "\uffff"),
    ]
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
SMALL_NAMES = st.lists(st.one_of(FRAGMENTS, ANY_TEXT), max_size=6).map("".join)


@st.composite
def long_names(draw):
    """Names whose file names have just about as many bytes as fit, or many more."""
    limit = draw(st.sampled_from([70, SHORTEST_LIMIT, USUAL_LIMIT, 1000]))
    start, end = draw(SMALL_NAMES), draw(SMALL_NAMES)
    unit = draw(st.sampled_from(["a", "é", "\U0001f512", "%", "/", "."]))
    used = len(name_of_file(start + end))
    each = len(name_of_file("x" + 2 * unit)) - len(name_of_file("x" + unit))
    units = max(0, (limit - used) // each + draw(st.integers(-3, 3)))
    return start + unit * units + end


NAMES = st.one_of(SMALL_NAMES, long_names())
LIMITS = st.sampled_from([SHORTEST_LIMIT, 200, USUAL_LIMIT])


@st.composite
def rivals(draw):
    """Two names of which one is what somebody might make of the other."""
    name = draw(NAMES)
    limit = draw(LIMITS)
    rival = draw(
        st.one_of(
            NAMES,
            st.just(name_of_file(name, limit).decode()),  # the name of the other's file
            st.just(name_of_file(name, limit).decode().replace("%25", "%")),
            st.just(name_of_file(name_of_file(name, limit).decode(), limit).decode()),
            st.just(name.replace("/", "_")),  # what oslo.concurrency makes of it
            st.just(name.replace("%", "%25")),
            st.just(name.replace("\ud83d\udd12", "\U0001f512")),
            st.just(name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")),
            st.just(name.encode("utf-8", "backslashreplace").decode()),
            st.just(name.encode("utf-8", "ignore").decode()),
            st.just(name[:-1]),
            st.just(name.translate({0xDC80: 0xDFFF, 0xD83D: 0xFFFD, 0: 0x0A, 0x7F: 0x85})),
            st.just(name.encode("utf-8", "replace").decode()),
            st.just(name + draw(FRAGMENTS)),
            st.just(name.strip()),
            st.just(os.path.normpath(name)),
        )
    )
    return name, rival, limit


class TestFileName:
    @given(rivals())
    def test_is_different_for_different_names(self, names):
        one, other, limit = names
        assume(one != other)

        assert name_of_file(one, limit) != name_of_file(other, limit)

    @given(NAMES, LIMITS)
    def test_is_a_name_of_one_file_in_the_directory(self, name, limit):
        found = name_of_file(name, limit)

        assert found
        assert len(found) <= limit
        assert b"/" not in found
        assert not found.startswith(b".")
        found.decode("utf-8")
        assert not any(byte < 0x20 or byte == 0x7F for byte in found)

    @pytest.mark.parametrize("limit", [-1, 143, 255, 1530])
    @given(name=long_names())
    def test_fits_what_the_kernel_takes_whatever_the_file_system_claims(self, limit, name):
        """vfat claims 1530 bytes, pathconf(3) says -1 for no limit; Linux takes 255."""
        assert len(name_of_file(name, limit)) <= USUAL_LIMIT

    @given(NAMES)
    def test_can_be_read_where_it_is_not_the_name_itself(self, name):
        found = name_of_file(name).decode()
        plain = "".join(char for char in name[:20] if char.isascii() and char.isalnum())

        remaining = iter(found)
        assert all(char in remaining for char in plain)

    @given(st.text(st.characters(exclude_categories=()), max_size=SHORTEST_LIMIT // 12))
    def test_does_not_depend_on_the_file_system_if_it_is_short(self, name):
        """At most 12 bytes come of one character; a short name costs no system call."""

        def limit():
            raise AssertionError("asked for the limit")

        assert file_name_of(name, limit) == name_of_file(name)


class TestTheSameAsOslo:
    def oslos(self, name, prefix):
        from oslo_concurrency import lockutils as oslo

        return oslo._get_lock_path(name, prefix, "/locks").removeprefix("/locks/")

    @pytest.mark.parametrize("prefix", [None, "", "nova", "nova-", "-", "a-b"])
    @pytest.mark.parametrize(
        "name",
        [
            *("a", "a_b", "a-b", "-", "a b", "a.b", "b..", "~", "a%", "100%", "a%b", "%s"),
            *("%g0", "é", "e\u0301", "\U0001f512", "volume-4711-attach", "x" * 140, "\\", "C:x"),
        ],
    )
    def test_for_a_safe_name(self, name, prefix):
        assert name_of_file(key_of(name, prefix)).decode() == self.oslos(name, prefix)

    @given(st.text("abcXYZ019-_.~ :;,+@#&()[]{}!äß中", min_size=1, max_size=80))
    def test_for_any_safe_name(self, name):
        assume(not name.startswith("."))

        assert name_of_file(name).decode() == self.oslos(name, None)
        assert name_of_file(key_of(name, "p")).decode() == self.oslos(name, "p")

    def test_up_to_the_length_that_the_file_system_takes(self):
        assert name_of_file("x" * USUAL_LIMIT) == b"x" * USUAL_LIMIT
        assert name_of_file("x" * (USUAL_LIMIT + 1)) != b"x" * (USUAL_LIMIT + 1)
        assert name_of_file("x" * 200, SHORTEST_LIMIT) != b"x" * 200


class TestKey:
    @given(NAMES, st.text(max_size=5))
    def test_is_the_prefix_a_dash_and_the_name(self, name, prefix):
        key = key_of(name, prefix)

        assert key.endswith(name)
        assert key.startswith(prefix)
        assert len(key) <= len(prefix) + 1 + len(name)

    @pytest.mark.parametrize("name", [b"a", 5, None, Path("a"), ["a"]])
    def test_of_what_is_not_a_string(self, name):
        with pytest.raises(TypeError) as refusal:
            key_of(name)
        assert repr(name) in str(refusal.value)

    @pytest.mark.parametrize("prefix", [b"a", 5, ["a"]])
    def test_with_a_prefix_that_is_not_a_string(self, prefix):
        with pytest.raises(TypeError) as refusal:
            key_of("a", prefix)
        assert repr(prefix) in str(refusal.value)


# --- end to end

LONG = "x" * 5000
HOSTILE = [
    *("../x", "a/b", "a_b", LONG, LONG + "y", "a\0b", "\0", "a\nb", "\n", "\U0001f512"),
    *(".", "..", "...", ".hidden", "", "%", "%%", "%2F", "%2E", "%2E.", "%00", "%0A", "%25"),
    *("%~", "a%~b", "/", "//", "/etc/passwd", "a/../../b", "\ud83d\udd12", "\udc80", "-", " "),
    *(
        "\udc81",
        "\ud83d",
        "?",
        "\ufffd",
        "\\",
        "a\\b",
        "CON",
        "a:b",
        "~",
        "~root",
        "$HOME",
        "*",
        "é",
        "e\u0301",
        "%2f",
        "a%2Fb",
    ),
    *("\x7f", "\x85", "%7F", "%C2%85", "é" * 127, "é" * 128, "é" * 500, "\0" * 50, "/" * 90),
    name_of_file(LONG).decode(),
    name_of_file(name_of_file(LONG).decode()).decode(),
    name_of_file("é" * 500).decode(),
]


@pytest.fixture
def directory(tmp_path):
    """Deep enough that what leaves it can be seen."""
    return tmp_path / "one" / "two" / "locks"


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:40])
@pytest.mark.parametrize("prefix", [None, "nova", "..", "../", "."])
def test_a_lock_of_any_name_makes_one_file_in_its_directory(name, prefix, directory, tmp_path):
    with lockutils.lock(name, prefix, external=True, lock_path=directory):
        pass

    files = [path for path in tmp_path.rglob("*") if not path.is_dir()]
    assert [file.parent for file in files] == [directory]
    assert os.listdir(directory.parents[1]) == ["two"]
    assert os.listdir(directory.parents[2]) == ["one"]


def test_locks_of_different_names_are_different_files(directory):
    assert len(set(HOSTILE)) == len(HOSTILE)
    locks = [lockutils.lock(name, external=True, lock_path=directory) for name in HOSTILE]

    assert all(lock.acquire(blocking=False) for lock in locks)

    assert len(os.listdir(directory)) == len(HOSTILE)
    for lock in locks:
        lock.release()


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:40])
def test_two_locks_of_one_name_exclude_each_other(name, directory):
    with lockutils.lock(name, external=True, lock_path=directory):
        other = lockutils.lock(
            name,
            external=True,
            lock_path=directory,
            blocking=False,
            semaphores=lockutils.Semaphores(),  # so that they meet at the file alone
        )
        assert not other.acquire()


def test_the_file_does_not_depend_on_the_locale(tmp_path):
    names = ["é", "\U0001f512", "中" * 80, "\udc80", "a/é"]
    program = (
        "import sys\n"
        "import lockutils\n"
        "assert sys.flags.utf8_mode == 0, sys.flags\n"
        f"for name in {names!a}:\n"
        "    with lockutils.lock(name, external=True, lock_path=sys.argv[1]):\n"
        "        pass\n"
    )
    found = []
    for locale in ("C", "C.UTF-8", "POSIX"):
        directory = tmp_path / locale
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))},
            "LC_ALL": locale,
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONPATH": str(Path(lockutils.__file__).parents[1]),
        }
        subprocess.run([sys.executable, "-c", program, directory], env=environment, check=True)
        found.append(sorted(os.listdir(os.fsencode(directory))))

    assert found == [sorted(map(name_of_file, names))] * 3


@given(st.one_of(SMALL_NAMES, long_names()))
def test_a_file_tells_its_name_or_the_beginning_of_it(name):
    found, is_whole = key_of_file(name_of_file(name))

    assert found == name if is_whole else name.startswith(found)
    assert is_whole == (len(name_of_file(name)) <= 66 or name_of_file(name)[-66:-64] != b"%~")


@pytest.mark.parametrize("file_name", [b"a%ZZ", b"%2", b"\xff%41", b"%41", b"a%2fb", b"%~short"])
def test_a_file_that_no_lock_is_named_by_is_told_as_it_is(file_name):
    assert key_of_file(file_name) == (os.fsdecode(file_name), True)
