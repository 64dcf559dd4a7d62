"""Names with ``{fields}``, filled in from the arguments of each call."""

import functools
from types import SimpleNamespace

import pytest
from lock_peers import run_python

import lockutils
from lockutils.front.template import NameTemplate


def name_of(template, function, *args, **kwargs):
    return NameTemplate(template, function)(args, kwargs)


def is_held(name):
    probe = lockutils.lock(name, blocking=False)
    if probe.acquire():
        probe.release()
        return False
    return True


# --- where a field is filled in from


def various(first, /, second, third="three", *rest, only="alone", **others):
    pass


@pytest.mark.parametrize(
    ("template", "args", "kwargs", "name"),
    [
        ("{first}", (1, 2), {}, "1"),
        ("{second}", (1, 2), {}, "2"),
        ("{second}", (1,), {"second": 2}, "2"),
        ("{third}", (1, 2), {}, "three"),
        ("{third}", (1, 2, 3), {}, "3"),
        ("{only}", (1, 2), {}, "alone"),
        ("{only}", (1, 2), {"only": "x"}, "x"),
        ("{rest[1]}", (1, 2, 3, 4, 5), {}, "5"),
        ("{rest}", (1, 2), {}, "()"),
        ("{extra}", (1, 2), {"extra": "e"}, "e"),
        ("{others[extra]}", (1, 2), {"extra": "e"}, "e"),
        # a keyword of the name of a positional-only parameter is another thing
        ("{first}-{others[first]}", (1, 2), {"first": "x"}, "1-x"),
        ("{others}", (1, 2), {"others": "o"}, "{'others': 'o'}"),
        ("{first}{second}-{first}", (1, 2), {}, "12-1"),
    ],
)
def test_a_field_is_an_argument(template, args, kwargs, name):
    assert name_of(template, various, *args, **kwargs) == name


def test_a_default_of_none_is_filled_in():
    assert name_of("{x}", lambda x=None: None) == "None"


def test_a_field_may_be_called_self_or_args():
    assert name_of(
        "{self}-{args}-{kwargs}", lambda self, args, kwargs: None, 1, args=2, kwargs=3
    ) == ("1-2-3")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{image.id}", "7"),
        ("image-{image.id}", "image-7"),
        ("{image.owner.name}/{m[key]}", "ann/value"),
        ("{m[a b.c]}", "dotted"),
        ("{items[0]}{items[1].id}", "x7"),
        ("{m[deep][0]}", "d"),
    ],
)
def test_attributes_and_items(template, name):
    image = SimpleNamespace(id=7, owner=SimpleNamespace(name="ann"))
    mapping = {"key": "value", "a b.c": "dotted", "deep": ["d"]}

    def function(image, m, items):
        pass

    assert name_of(template, function, image, mapping, ["x", image]) == name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{x!r}", "'é'"),
        ("{x!s}", "é"),
        ("{x!a}", r"'\xe9'"),
        ("{n:05d}", "00042"),
        ("{n:#x}", "0x2a"),
        ("{x:>3}", "  é"),
        ("{x!r:>{width}}", "  'é'"),
        ("{n:{fill}>{width}}", "***42"),
        ("{n:{spec.hex}}", "2a"),
    ],
)
def test_conversions_and_format_specifications(template, name):
    def function(x, n, width=5, fill="*", spec=SimpleNamespace(hex="x")):  # noqa: B008
        pass

    assert name_of(template, function, "é", 42) == name


@pytest.mark.parametrize(
    ("template", "name"),
    [("{{{x}}}", "{1}"), ("{{x}}", "{x}"), ("{{", "{"), ("}}", "}"), ("{{}}{x}", "{}1")],
)
def test_doubled_braces_stand_for_braces(template, name):
    assert name_of(template, lambda x: None, 1) == name


def test_what_is_filled_in_is_not_a_template():
    assert name_of("{x}", lambda x: None, "{y}{{") == "{y}{{"


def test_a_method_names_itself():
    class Node:
        def __init__(self, host):
            self.host = host

        @lockutils.synchronized("{self.host}/{name}")
        def boot(self, name):
            return is_held(f"{self.host}/{name}"), is_held("other/vm")

    assert Node("rack1").boot("vm") == (True, False)
    assert Node("rack2").boot(name="vm") == (True, False)


def test_a_partial_takes_its_own_arguments_along():
    function = functools.partial(various, 1, second="two")
    assert name_of("{second}-{third}", function) == "two-three"


def test_calls_with_different_arguments_run_side_by_side():
    @lockutils.synchronized("side-{x}")
    def nested(x):
        return [x, *(nested(x - 1) if x else [])]

    assert nested(3) == [3, 2, 1, 0]


def test_equal_names_exclude_each_other():
    @lockutils.synchronized("same-{x}", timeout=0)
    def nested(x, depth=1):
        return nested(x, depth - 1) if depth else None

    with pytest.raises(lockutils.AcquireLockFailedException, match="'same-1'"):
        nested(1)


# --- what is wrong with it


@pytest.mark.parametrize(
    "template",
    [
        "{x",
        "x}",
        "{",
        "}",
        "{{{x}}",
        "{x!}",
        "{x!rr}",
        "{x!z}",
        "{x[}",
        "{x[]}",
        "{x.}",
        "{x..y}",
        "{x[0]y}",
        "{x:{y!z}}",
        "{x:{y}",
        "{x:{y:{z}}}",  # str.format nests once
    ],
)
def test_a_malformed_template_fails_at_decoration(template):
    with pytest.raises(ValueError, match="lock name") as caught:
        lockutils.synchronized(template)(lambda x, y="", z="": None)
    assert repr(template) in str(caught.value)
    assert "<lambda>()" in str(caught.value)


@pytest.mark.parametrize(
    "template", ["{y}", "{y.id}", "{y[0]}", "{x:{y}}", "{}", "{0}", "{x.id}{0.id}"]
)
def test_an_unknown_field_fails_at_decoration(template):
    with pytest.raises(ValueError, match="no parameter") as caught:
        lockutils.synchronized(template)(lambda x: None)
    assert repr(template) in str(caught.value)


@pytest.mark.parametrize("template", ["{}", "{0}", "{x:{}}"])
def test_a_field_by_number_fails_at_decoration_whatever_the_function_takes(template):
    with pytest.raises(ValueError, match="lock name"):
        lockutils.synchronized(template)(lambda *args, x=1, **kwargs: None)


@pytest.mark.parametrize(
    ("template", "cause", "says"),
    [
        ("{x.id}", AttributeError, "field 'x.id'"),
        ("{x[key]}", TypeError, "field 'x[key]'"),
        ("{x}-{m[key]}-{x.id}", KeyError, "field 'm[key]'"),
        ("{rest[0]}", IndexError, "field 'rest[0]'"),
        ("{extra}", KeyError, "field 'extra'"),
        ("{x:d!}", ValueError, "field 'x'"),
        ("{m!s:d}", ValueError, "field 'm'"),
        ("{m:>3}", TypeError, "field 'm'"),
    ],
)
def test_a_field_that_cannot_be_filled_fails_at_the_call(template, cause, says):
    called = []

    @lockutils.synchronized(template)
    def attach(x, m, *rest, **kwargs):
        called.append(True)

    with pytest.raises(ValueError, match="cannot be filled in") as caught:
        attach(1, {})
    assert isinstance(caught.value.__cause__, cause)
    for part in (repr(template), attach.__qualname__, cause.__name__, says):
        assert part in str(caught.value)
    assert not called


def test_an_error_of_the_function_is_not_taken_for_one_of_the_template():
    error = KeyError("x")

    @lockutils.synchronized("{x}")
    def fails(x):
        raise error

    with pytest.raises(KeyError) as caught:
        fails(1)
    assert caught.value is error


@pytest.mark.parametrize("name", ["plain", "{x}"])
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2), {}), ((1,), {"x": 1}), ((1,), {"unknown": 1})],
)
def test_wrong_arguments_are_a_type_error_as_from_the_function(name, args, kwargs):
    @lockutils.synchronized(name)
    def function(x):
        pass

    with pytest.raises(TypeError):
        function(*args, **kwargs)


def test_a_callable_without_a_signature_is_refused_at_decoration():
    class NoSignature:
        __signature__ = "none"

        def __call__(self, x):
            pass

    with pytest.raises((TypeError, ValueError)):
        lockutils.synchronized("{x}")(NoSignature())


# --- what it costs


def test_only_a_template_pays_for_inspect():
    source = """
import sys
import lockutils
lockutils.synchronized("plain")(lambda x: None)(1)
assert not {"inspect", "string", "lockutils.front.template"} & set(sys.modules), sys.modules
lockutils.synchronized("{x}")(lambda x: None)(1)
assert "inspect" in sys.modules
"""
    run_python(source, options=("-S",))
