"""A name with ``{fields}``: a template over the arguments of the call."""

from __future__ import annotations

import inspect
import string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class NameTemplate:
    """Makes the name of the lock of one call, from the call's arguments.

    :param template: in the syntax of :meth:`str.format`; the fields are parameters of
        ``function``, their attributes and items
    :raises ValueError: if the template is malformed, or has a field that no call can fill
    """

    def __init__(self, template: str, function: Callable[..., Any]) -> None:
        self._template = template
        self._function = getattr(function, "__qualname__", repr(function))
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self._var_keyword = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        for field in self._fields(template):
            if field not in self._signature.parameters and self._var_keyword is None:
                raise ValueError(
                    f"lock name {template!r} of {self._function}(): no parameter {field!r}"
                )

    def _fields(self, template: str) -> Iterator[str]:
        """The arguments that ``template`` refers to."""
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:
            raise ValueError(f"lock name {template!r} of {self._function}(): {error}") from None
        for _, field, spec, _ in parts:
            if field is not None:
                yield field.partition(".")[0].partition("[")[0]
                yield from self._fields(spec or "")

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return the name for a call with these arguments.

        :raises TypeError: if the function cannot be called with them
        :raises ValueError: if a field cannot be filled; says which and of what function
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = dict(bound.arguments)
        if self._var_keyword is not None:
            values = {**values[self._var_keyword], **values}
        try:
            return self._template.format_map(values)
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"lock name {self._template!r} of {self._function}() cannot be filled in: "
                f"{type(error).__name__}: {error}"
            ) from error
