"""Which directory the lock files are in, why that one, and what this user may do there."""

from __future__ import annotations

import os
import stat

from lockutils.backends.file.directory import Directory
from lockutils.backends.file.file_mode import VARIABLE, file_mode
from lockutils.backends.file.mounts import is_private
from lockutils.errors import LockPathError
from lockutils.front import settings
from lockutils.observe.doctor.finding import ok, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockutils.observe.doctor.finding import Place, Result

_FOR_ALL = "$LOCKUTILS_LOCK_PATH for all who share the locks"
_NAME_ANOTHER = f"name another directory by {_FOR_ALL}, or have its owner let this user in"
_PRIVATE = "other processes of this host have another directory of this name"


def choice(place: Place) -> Iterator[Result]:
    """Which directory, and what each source says."""
    if place.named is not None:
        place.directory = Directory(os.fsencode(settings.check_path(place.named, "DIR")))
        yield ok(f"{place.directory}, as asked for")
        return
    said = settings.sources()
    named = [(source, text) for source, text in said if text]
    try:
        if named:
            place.directory = settings.lock_directory(None)
        else:
            place.directory = settings.default_directory()
    except LockPathError as error:
        yield problem(str(error), error.hint or f"set {_FOR_ALL}")
        return
    except ValueError as error:
        yield problem(str(error), "name the path of a directory")
        return
    why = f"by {named[0][0]}" if named else "the default of this user"
    yield ok(f"{place.directory}, {why}: {', '.join(_state(*one) for one in said)}")
    for source, text in said:
        if text == "":
            yield warning(f"{source} is empty, which counts as not set", "set it, or unset it")
    for source, text in named[:1]:
        yield from _of_path(source, text)
    for source, text in named[1:]:
        if source.startswith("$OSLO") and text != named[0][1]:
            paths = f"{named[0][1]!r} by {named[0][0]}, {text!r} by {source}"
            advice = f"set {source} to the same: oslo.concurrency looks at nothing else"
            yield warning(f"there are two directories: {paths}", advice)


def _state(source: str, text: str | None) -> str:
    return f"{source} is " + ("not set" if text is None else repr(text) if text else "empty")


def _of_path(source: str, text: str) -> Iterator[Result]:
    """What a path says that somebody wrote where no shell expands it."""
    if text.startswith("~") or "$" in text:
        yield warning(f"{source} has ~ or $, which nobody expands: {text!r}", "write the path out")
    elif not os.path.isabs(text):
        yield warning(
            f"{source} is relative, and another directory for each who starts elsewhere: {text!r}",
            "name an absolute path: cron, units and shells start in different directories",
        )
    elif is_private(text):
        advice = f"without PrivateTmp= or the like, or with another {_FOR_ALL}, they meet"
        yield warning(f"{_PRIVATE}: {text!r}", advice)


def directory(place: Place) -> Iterator[Result]:
    """Whether it is there, whose it is, and whether files can be made in it."""
    found = place.directory
    if found is None:
        return
    try:
        place.status = status = found.inspect()
        if status is None and os.path.islink(found.path):
            raise FileNotFoundError(0, "It is a symbolic link to nothing")
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(0, "It is no directory")
    except OSError as error:
        advice = f"remove it while nobody uses it, or set {_FOR_ALL}"
        yield problem(f"{found} cannot be used: {error.strerror}", advice)
        return
    base = found.path
    while status is None and not os.path.isdir(base):
        base = os.path.dirname(base)
    place.base = base
    where = "here" if status is not None else f"in {os.fsdecode(base)}"
    yield from _probe(place, base, where)
    if status is None:
        yield ok(f"{found} does not exist yet: the first lock makes it")
    else:
        yield ok(f"{_owner(status)}, mode {stat.S_IMODE(status.st_mode):o}")
        yield from _of_mode(status)


def _probe(place: Place, base: bytes, where: str) -> Iterator[Result]:
    if os.name != "posix":
        return
    from lockutils.backends.file import lock_kinds

    try:
        place.kinds = lock_kinds.probe(base)
    except OSError as error:
        hint = LockPathError(error.errno, error.strerror, os.fsdecode(base)).hint
        yield problem(f"no file can be made {where}: {error.strerror}", hint or _NAME_ANOTHER)


def _owner(status: os.stat_result) -> str:
    if os.name != "posix":
        return "there"
    import grp
    import pwd

    try:
        user = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        user = str(status.st_uid)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f"owner {user}, group {group}"


def _of_mode(status: os.stat_result) -> Iterator[Result]:
    mode = status.st_mode
    if os.name != "posix":
        return
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        text = "everybody can remove lock files of others, and get in beside their holders"
        yield warning(text, "set the sticky bit: chmod +t DIR")
    elif mode & stat.S_IWGRP and not mode & stat.S_ISGID and status.st_gid != os.getegid():
        text = f"it is for the group {status.st_gid}, but files that this user makes are not"
        yield warning(text, "set the setgid bit: chmod g+s DIR")


def modes(place: Place) -> Iterator[Result]:
    """With which mode files are made, and whether that is enough."""
    if place.directory is None or os.name != "posix":
        return
    try:
        mode = file_mode()
    except OSError as error:
        yield problem(str(error.strerror), f"set ${VARIABLE} to octal digits, as 660, or unset it")
        return
    if place.directory.file_mode is not None:
        yield ok("lock files are for this user alone, as the directory is")
        return
    if mode is None:
        umask = os.umask(0o077)
        os.umask(umask)
        mode, text = 0o666 & ~umask, f"as the umask {umask:03o} has it"
    else:
        text = f"whatever the umask, by ${VARIABLE}"
    text = f"lock files are made with the mode {mode:o}, {text}"
    shared = 0 if place.status is None else place.status.st_mode
    needed = (0o060 if shared & stat.S_IWGRP else 0) | (0o006 if shared & stat.S_IWOTH else 0)
    if needed & ~mode:
        advice = f"set ${VARIABLE}={0o600 | needed:o} for all who share the locks"
        yield warning(f"{text}: others who use the directory cannot wait in line for them", advice)
    else:
        yield ok(text)


CHECKS = (choice, directory, modes)
