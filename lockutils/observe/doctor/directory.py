"""Which directory the lock files are in, why that one, and what this user may do there."""

from __future__ import annotations

import errno
import os
import stat

from lockutils.backends.file import file_mode as modes
from lockutils.backends.file.directory import PARENTS
from lockutils.errors import LockPathError
from lockutils.front import settings
from lockutils.observe.doctor.finding import ok, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockutils.observe.doctor.finding import Place, Result

_ANOTHER = "name another directory by $LOCKUTILS_LOCK_PATH for all who share the locks"


def choice(place: Place) -> Iterator[Result]:
    """Which directory, and what each source says."""
    said = [] if place.named else settings.sources()
    named = [(source, text) for source, text in said if text]
    why = "asked for" if place.named else "the default of this user"
    why = f"by {named[0][0]}" if named else why
    try:
        place.directory = found = settings.lock_directory(place.named, make=False)
    except LockPathError as error:
        what, _, advice = str(error.strerror).partition(": ")
        yield problem(f"{error.filename}, {why}: {what}", advice or _ANOTHER)
        return
    states = [_state(*one) for one in said]
    if found.file_mode is not None and os.path.dirname(os.fsdecode(found.path)) != PARENTS[0]:
        states.append(
            f"it is not in {PARENTS[0]}, where users may not write: a unit with PrivateTmp= needs "
            "$LOCKUTILS_LOCK_PATH"
        )
    yield ok(f"{found}, {why}" + (f": {', '.join(states)}" if states else ""))
    for source, text in said:
        if text == "":
            yield warning(f"{source} is empty, which counts as not set", "set it, or unset it")
    for source, text in named[:1]:
        if text.startswith("~") or "$" in text:
            yield warning(f"{source} has ~ or $, which stand for themselves", "write the path out")
        elif not os.path.isabs(text):
            advice = "name an absolute path: cron, units and shells start in different directories"
            yield warning(f"{source} is relative, and depends on where the program starts", advice)
    for source, text in named[1:]:
        if source.startswith("$OSLO") and text != named[0][1]:
            advice = f"set {source} to the same: oslo.concurrency looks at nothing else"
            yield warning(f"{named[0][0]} and {source} name two directories", advice)


def _state(source: str, text: str | None) -> str:
    return f"{source} is " + ("not set" if text is None else repr(text) if text else "empty")


def directory(place: Place) -> Iterator[Result]:
    """Whether it is there, whose it is, and whether files can be made in it."""
    found = place.directory
    if found is None:
        return
    try:
        status = found.inspect()
        if status is None and os.path.islink(found.path):
            raise FileNotFoundError(0, "it is a symbolic link to nothing")
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(0, "it is not a directory")
    except OSError as error:
        yield problem(f"{found} cannot be used: {error.strerror}", _hint(error, found.path))
        return
    place.status, place.base = status, found.path
    while status is None and not os.path.isdir(place.base):
        place.base = os.path.dirname(place.base)
    try:
        if os.name == "posix":
            from lockutils.backends.file import lock_kinds

            place.kinds = lock_kinds.probe(place.base)
    except OSError as error:
        text = "no file can be made in it" if status else f"{found} is missing and cannot be made"
        yield problem(f"{text}: {error.strerror}", _hint(error, place.base))
        if status is None:
            return
    if status is None:
        yield ok(f"{found} does not exist yet: the first lock makes it")
        return
    mode = status.st_mode
    yield ok(f"{_owner(status)}, mode {stat.S_IMODE(mode):o}")
    if os.name != "posix":
        return
    if mode & stat.S_IWOTH:
        if not mode & stat.S_ISVTX:
            text = "everybody can remove the lock files of others, and get in beside their holders"
            yield warning(text, "set the sticky bit: chmod +t DIR")
    elif mode & stat.S_IWGRP and not mode & stat.S_ISGID and status.st_gid != os.getegid():
        text = "its group can write here, but files of this user do not get that group"
        yield warning(text, "set the setgid bit: chmod g+s DIR")


def _hint(error: OSError, path: bytes) -> str:
    """Return what to do; the library's own words, where it has some."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room: inodes or space are used up"
    known = LockPathError(error.errno, error.strerror, os.fsdecode(path)).hint
    return known or f"make it usable for this user, or {_ANOTHER}"


def _owner(status: os.stat_result) -> str:
    if os.name != "posix":
        return "it exists"
    import grp
    import pwd

    user, group = str(status.st_uid), str(status.st_gid)
    try:
        user = pwd.getpwuid(status.st_uid).pw_name
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        pass  # it has no name here
    return f"owner {user}, group {group}"


def file_mode(place: Place) -> Iterator[Result]:
    """With which mode files are made, and whether that is enough."""
    if place.directory is None or os.name != "posix":
        return
    try:
        mode = modes.file_mode()
    except OSError as error:
        yield problem(str(error.strerror), "set it to octal digits, as 660, or unset it")
        return
    if place.directory.file_mode is not None:
        yield ok("lock files are for this user alone, as the directory is")
        return
    text = f"by ${modes.VARIABLE}"
    if mode is None:
        umask = os.umask(0o077)
        os.umask(umask)
        mode, text = 0o666 & ~umask, f"by the umask {umask:03o}"
    text = f"new lock files have the mode {mode:o}, {text}"
    others = 0 if place.status is None else place.status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    needed = others | others << 1  # to write, and to read
    if needed & ~mode:
        advice = f"set ${modes.VARIABLE}={0o600 | needed:o} for all who share the locks"
        yield warning(f"{text}: others who share the directory cannot write to them", advice)
    else:
        yield ok(text)


CHECKS = (choice, directory, file_mode)
