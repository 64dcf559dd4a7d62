"""Name -> key -> file name.  No two names share a file; no name leaves its directory.

The file name is the name itself, as oslo.concurrency has it, wherever that is safe.  An
unsafe name is escaped: each unsafe character, and then also each ``%``, becomes the ``%XX``
of its UTF-8 bytes.  A name that looks like an escape is escaped for that, so that an escaped
name never equals a plain one; and undoing the escapes gives the name back, so that no two
escaped names are equal.
"""

from __future__ import annotations

import os

# the same as hashlib's, which takes a quarter as long to import as all of Python
from _blake2 import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: in bytes; every file system in use takes as much (ext4 and most others 255, eCryptfs 143)
LENGTH_FOR_ANY = 143
_NAME_MAX = 255  # of the kernel; some file systems claim more
_READABLE_PART = 70  # and the digest makes LENGTH_FOR_ANY at most
_HEX = frozenset("0123456789ABCDEF")
_DIGEST_SIZE = 32
#: the end of a name that is cut: ``%~`` and the digest
_CUT = 2 + 2 * _DIGEST_SIZE


def name_of(what: object) -> str:
    """Return the name of a lock that is asked for by ``what``: itself, or its ``str``.

    :raises TypeError: if it is ``None`` or bytes, whose ``str`` nobody means
    """
    if what is None or isinstance(what, (bytes, bytearray)):
        raise TypeError(f"the name of a lock must be a str, not {what!r}")
    return what if isinstance(what, str) else str(what)


def key_of(name: str, prefix: str | None = None) -> str:
    """Return the key that all handles of this name and prefix meet on.

    :raises TypeError: if either is not a string
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a lock must be a str, not {name!r}")
    if prefix is None:
        return name
    if not isinstance(prefix, str):
        raise TypeError(f"lock_file_prefix must be a str or None, not {prefix!r}")
    if not prefix:
        return name
    return prefix + name if prefix.endswith("-") else f"{prefix}-{name}"


def file_name_of(key: str, longest: Callable[[], int]) -> bytes:
    """Return the name of the lock file of ``key``.

    In UTF-8 whatever the locale says: a cron job without one must find the same file.

    :param longest: called for a long name alone; tells how many bytes the file system takes
    """
    if not _is_plain(key):
        key = _escape(key)
    encoded = key.encode()
    if len(encoded) <= LENGTH_FOR_ANY or len(encoded) <= min(longest(), _NAME_MAX):
        return encoded
    return _shorten(encoded)


def may_be_file_name(text: str) -> bool:
    """Whether :func:`file_name_of` can have made this name of a file, by its characters."""
    return _is_plain(text) or (text[:1] not in ("", ".") and not any(map(_is_unsafe, text)))


def key_of_file(file_name: bytes) -> tuple[str, bool]:
    """Return the key that a lock file is named by, and whether that is all of it.

    Of a long key there is only the beginning.
    """
    is_whole = file_name[-_CUT : 2 - _CUT] != b"%~" or len(file_name) <= _CUT
    escaped = file_name
    if not is_whole:
        escaped = file_name[:-_CUT]
        if b"%" in escaped[-2:]:  # of an escape that was cut
            escaped = escaped[: escaped.rindex(b"%")]
    if escaped == b"%":
        return "", is_whole
    plain, *others = escaped.split(b"%")
    for part in others:
        digits = part[:2]
        is_escape = len(digits) == 2 and _HEX.issuperset(digits.decode("latin-1"))
        plain += bytes([int(digits, 16)]) + part[2:] if is_escape else b"%" + part
    for end in range(len(plain), max(len(plain) - 4, -1), -1):  # of a character that was cut
        try:
            key = plain[:end].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            if is_whole:
                break
        else:
            if not is_whole or file_name_of(key, lambda: _NAME_MAX) == file_name:
                return key, is_whole
            break
    return os.fsdecode(file_name), True  # not a name of ours


def _is_plain(key: str) -> bool:
    if key.startswith(".") or not key:
        return False
    if key.isascii() and key.isprintable():
        return "/" not in key and ("%" not in key or not _looks_escaped(key))
    return not any(map(_is_unsafe, key)) and not _looks_escaped(key)


def _is_unsafe(char: str) -> bool:
    """A separator, a control character (C0, DEL, C1) or half of a surrogate pair."""
    return char == "/" or char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff"


def _looks_escaped(key: str) -> bool:
    """Whether ``_escape`` or ``_shorten`` could have made it: ``%XX``, ``%~``, a mere ``%``."""
    if key == "%":
        return True
    _, *tails = key.split("%")
    return any(tail[:1] == "~" or (len(tail) > 1 and _HEX.issuperset(tail[:2])) for tail in tails)


def _escape(key: str) -> str:
    if not key:
        return "%"
    dot, rest = ("%2E", key[1:]) if key.startswith(".") else ("", key)
    return dot + "".join(
        "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        if char == "%" or _is_unsafe(char)
        else char
        for char in rest
    )


def _shorten(file_name: bytes) -> bytes:
    """The beginning, for the reader, and a digest of the whole, for the difference."""
    beginning = file_name[:_READABLE_PART].decode("utf-8", "ignore")
    return f"{beginning}%~{blake2b(file_name, digest_size=_DIGEST_SIZE).hexdigest()}".encode()
