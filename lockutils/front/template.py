"""A name with ``{fields}``: a template over the arguments of the call."""

from __future__ import annotations

import inspect
import string
from _string import formatter_field_name_split  # type: ignore[import-not-found]

from lockutils.errors import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Fields(string.Formatter):
    """Goes through a template as str.format does, and notes the arguments it refers to."""

    def __init__(self) -> None:
        self.arguments: list[str] = []

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[str, str]:
        argument, steps = formatter_field_name_split(field_name)
        list(steps)  # this is what parses them
        self.arguments.append(str(argument))
        return "", str(argument)

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""


class NameTemplate:
    """Makes the name of the lock of one call, from the call's arguments.

    :param template: in the syntax of :meth:`str.format`; the fields are parameters of
        ``function``, their attributes and items
    :raises ValueError: if the template is malformed, or has a field that no call can fill
    """

    def __init__(self, template: str, function: Callable[..., Any]) -> None:
        self._template = template
        name = getattr(function, "__qualname__", repr(function))
        self._what = f"lock name {template!r} of {name}()"
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self._var_keyword = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        fields = _Fields()
        try:
            fields.vformat(template, (), {})
        except ValueError as error:
            raise ValueError(f"{self._what}: {error}") from None
        for field in fields.arguments:
            named = field.isidentifier() and self._var_keyword is not None
            if field not in self._signature.parameters and not named:
                raise ValueError(f"{self._what}: no parameter {field!r}")

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
                f"{self._what} cannot be filled in: "
                f"{self._culprit(values)}{type(error).__name__}: {printable(str(error))}"
            ) from error

    def _culprit(self, values: dict[str, Any]) -> str:
        """The first field that fails, for the error; str.format_map does not tell."""
        for _, field, spec, conversion in string.Formatter().parse(self._template):
            if field is None:
                continue
            text = field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            try:
                f"{{{text}}}".format_map(values)
            except Exception:
                return f"field {field!r}: "
        return ""  # it fails now and then
