"""Run the code blocks of a page of the documentation, in order, and tell what is not so.

    python run_page.py PAGE DIRECTORY [OLD=NEW ...]

The page is run in this process, in DIRECTORY and with its locks below it.  Each OLD in a block
is replaced by NEW first.  What becomes of a block depends on its language:

python, with prompts     a doctest; all of a page share one namespace
python                   executed in the same namespace; may await
console                  the commands after ``$`` in one shell; what they print is compared, and
                         each must succeed, unless the next is ``echo $?``
sh                       a script; what it prints is what its comments ``  # ...`` say
crontab                  each command is run as cron does it
text                     a synopsis: it has the options that ``--help`` of the command has

A block with a caption is a file of that name, which later blocks use.  A comment ``.. no-test:
REASON`` keeps the block after it from being run.  No other block is left out: a language that
is not known, or a block without one, is an error.
"""

import ast
import asyncio
import doctest
import inspect
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from importlib.metadata import entry_points

ROOT = pathlib.Path(__file__).parents[2]
#: of other packages, which a page runs
COMMANDS = ("celery", "gunicorn", "pytest")
#: seconds for a shell, after which it hangs
PATIENCE = 60

_FLAGS = doctest.ELLIPSIS
_DIRECTIVE = re.compile(r"^( *)\.\. code-block::(.*)$")
_NO_TEST = re.compile(r"^ *\.\. no-test:(.*)$")
_OPTION = re.compile(r"^:(\w+):(.*)$")
# what Sphinx would show as code, and we would not see
_FOREIGN = re.compile(r"^ *(?:\.\. (?:code|sourcecode|doctest|testcode|literalinclude)::|>>> )")
_LITERAL = re.compile(r"^(?!\s*\.\. ).*::$")


class Wrong(Exception):
    """What a page says is not so."""


class Block:
    """A code block."""

    def __init__(self, line, language, caption, text, no_test):
        self.line = line
        self.language = language
        #: the file that it is, or ``None``
        self.caption = caption
        self.text = text
        #: why it is not run, or ``None``
        self.no_test = no_test


def blocks_of(page):
    """Return the code blocks of the text of a page.

    :raises Wrong: if there is one that nobody would run
    """
    lines = page.splitlines()
    blocks = []
    no_test = None
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if reason := _NO_TEST.match(line):
            no_test = reason[1].strip()
            if not no_test:
                raise Wrong(f"line {position}: no reason")
        elif directive := _DIRECTIVE.match(line):
            start = position
            depth = len(directive[1])
            while position < len(lines) and (
                not lines[position].strip() or lines[position][: depth + 1].isspace()
            ):
                position += 1
            body = textwrap.dedent("\n".join(lines[start:position])).strip("\n").split("\n")
            options = {}
            while option := _OPTION.match(body[0]):
                options[option[1]] = option[2].strip()
                del body[0]
            text = "\n".join(body).strip("\n") + "\n"
            language = directive[2].strip()
            blocks.append(Block(start, language, options.get("caption"), text, no_test))
            no_test = None
        elif _FOREIGN.match(line) or _LITERAL.match(line):
            raise Wrong(f"line {position}: not a code-block with a language: {line.strip()!r}")
    if no_test is not None:
        raise Wrong(f"no-test without a block after it: {no_test!r}")
    return blocks


class Page:
    """A page that is run, in a directory of its own."""

    def __init__(self, directory):
        self._directory = directory
        self._names = {"__name__": "__main__"}
        self._shells = []

    def run(self, block):
        """Run one block.

        :raises Wrong: if it does not do what it says
        """
        if block.caption is not None:
            file = self._directory / block.caption
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
            if block.text.startswith("#!"):
                file.chmod(0o755)
            return
        run = getattr(self, f"_run_{block.language}", None)
        if run is None:
            raise Wrong(f"nobody knows how to run the language {block.language!r}")
        run(block.text)

    def close(self):
        """End what the page has left running in the background."""
        for shell in self._shells:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _run_python(self, text):
        if ">>> " in text:
            self._run_doctest(text)
            return
        code = compile(text, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, self._names))
        else:
            exec(code, self._names)

    def _run_doctest(self, text):
        test = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
        test.globs = self._names  # and not a copy, in which names would live on
        report = []
        results = doctest.DocTestRunner(optionflags=_FLAGS).run(
            test, out=report.append, clear_globs=False
        )
        if results.failed:
            raise Wrong("".join(report))

    def _run_console(self, text):
        commands = []
        for line in text.splitlines(keepends=True):
            if line.startswith("$ "):
                commands.append([line[2:], ""])
            elif line.startswith("> ") and commands and not commands[-1][1]:
                commands[-1][0] += line[2:]
            elif commands:
                commands[-1][1] += line
            else:
                raise Wrong(f"no command before {line!r}")
        end = "--- end of a command ---"
        script = "".join(
            f"{command}\nstatus=$?; printf '\\n%s %s\\n' '{end}' $status; (exit $status)\n"
            for command, _ in commands
        )
        _, printed = self._shell(["sh", "-c", script])
        parts = re.split(f"\n{end} ([0-9]+)\n", printed)
        checker = doctest.OutputChecker()
        for number, (command, wanted) in enumerate(commands):
            if len(parts) < 2 * number + 2:
                raise Wrong(f"the shell ended before, or in, {command}{parts[-1]}")
            got, status = parts[2 * number], int(parts[2 * number + 1])
            # a block cannot show whether there are empty lines at the end
            got = got.rstrip("\n") + "\n"
            example = doctest.Example(command, wanted.rstrip("\n") + "\n")
            if not checker.check_output(example.want, got, _FLAGS):
                raise Wrong(f"{command}{checker.output_difference(example, got, _FLAGS)}")
            if status and [after for after, _ in commands[number + 1 :]][:1] != ["echo $?\n"]:
                raise Wrong(f"{command}exit status {status}, and printed\n{got}")

    def _run_sh(self, text):
        status, printed = self._shell(["sh", "-eu", "-c", text])
        wanted = re.findall(r"^[^#\n]*\S {2,}# (.*)$", text, re.MULTILINE)
        if status or printed.splitlines() != wanted:
            raise Wrong(f"{text}exit status {status}, and printed\n{printed}")

    def _run_crontab(self, text):
        # not ours: what a job finds in its environment is what the page is about
        environment = {
            "HOME": str(self._directory),
            "OSLO_LOCK_PATH": os.environ["OSLO_LOCK_PATH"],
            "PATH": "/usr/bin:/bin",
            "SHELL": "/bin/sh",
        }
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if setting := re.fullmatch(r"(\w+) *= *(.*)", line):
                environment[setting[1]] = setting[2]
                continue
            *times, command = line.split(None, 5)
            if len(times) != 5 or not all(re.fullmatch(r"[\d*/,-]+", time) for time in times):
                raise Wrong(f"not a line of a crontab: {line}")
            if "%" in command:
                raise Wrong(f"to cron a % is the end of a line: {line}")
            status, printed = self._shell(
                [environment["SHELL"], "-c", command], env=environment, cwd=self._directory
            )
            if status:
                raise Wrong(f"{line}\nexit status {status}, and printed\n{printed}")

    def _run_text(self, text):
        program, command = text.split()[:2]
        _, printed = self._shell([program, command, "--help"])
        there = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", printed, re.MULTILINE)) - {"--help"}
        shown = set(re.findall(r"--[\w-]+", text))
        if shown != there or not there:
            raise Wrong(f"{text}the options are {sorted(there)}")

    def _shell(self, words, **options):
        """Run ``words`` to their end; return the exit status and what was printed."""
        # Not a pipe: what is left in the background may keep that open.
        with tempfile.TemporaryFile("w+") as output:
            shell = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
            self._shells.append(shell)
            try:
                status = shell.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                status = "none, it hangs"
            output.seek(0)
            return status, output.read()


def set_up(directory):
    """Make the directory what a reader has: an environment with lockutils, and nothing else."""
    programs = directory / "venv" / "bin"
    programs.mkdir(parents=True)
    found = {
        "lockutils": ("lockutils.cli", "main"),
        "lockutils-wrapper": ("lockutils.cli.wrapper", "main"),
    }
    for entry in entry_points(group="console_scripts"):
        if entry.name in COMMANDS:
            found[entry.name] = (entry.module, entry.attr)
    for name, (module, function) in found.items():
        launcher = programs / name
        launcher.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"from {module} import {function}\nsys.exit({function}())\n"
        )
        launcher.chmod(0o755)
    for name in ("python", "python3"):
        launcher = programs / name
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        launcher.chmod(0o755)
    (directory / "scripts").symlink_to(ROOT / "scripts")
    for name in list(os.environ):
        if name.startswith(("PYTEST", "LOCKUTILS_", "OSLO_")):
            del os.environ[name]
    os.environ.update(
        HOME=str(directory),
        LC_ALL="C.UTF-8",
        OSLO_LOCK_PATH=str(directory / "locks"),
        PATH=f"{programs}:{os.environ['PATH']}",
        # of all that is installed for the tests themselves, what the page is about
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTEST_PLUGINS="xdist.plugin",
        PYTHONPATH=str(ROOT),
    )
    os.chdir(directory)
    sys.path[0] = str(directory)
    sys.path.insert(1, str(ROOT))


def main(path, directory, *replacements):
    directory = pathlib.Path(directory)
    text = pathlib.Path(path).read_text()
    for replacement in replacements:
        old, new = replacement.split("=", 1)
        text = text.replace(old, new)
    set_up(directory)
    page = Page(directory)
    try:
        for block in blocks_of(text):
            if block.no_test is not None:
                continue
            try:
                page.run(block)
            except Exception as error:
                if not isinstance(error, Wrong):
                    import traceback

                    traceback.print_exc()
                print(f"{path}:{block.line}: {error}")
                return 1
    finally:
        page.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
