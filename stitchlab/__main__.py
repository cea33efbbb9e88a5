"""Run the command line.

Results go to stdout, progress and remarks to stderr. Wrong input is reported in one line, with exit status 2.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from stitchlab.catalog.settings import SETTINGS
from stitchlab.cli import Parser, app, check, export, kept, layers, networks, ood, probe, runs
from stitchlab.cli import store as store_commands
from stitchlab.errors import StitchLabError
from stitchlab.results.version import VERSION
from stitchlab.store import Store
from stitchlab.store.places import cache

COMPUTING_PACKAGES = ("torch", "torchvision", "scipy", "sklearn")  # commands that only read run without them
INPUT_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130  # shells expect this of a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options, Store()) or 0
    except StitchLabError as error:
        print(f"stitchlab {options.name_of_command}: {error}", file=sys.stderr)
        return INPUT_ERROR_STATUS
    except ModuleNotFoundError as error:
        if error.name not in COMPUTING_PACKAGES:
            raise
        print(
            f"stitchlab {options.name_of_command}: this command computes, and {error.name} is not installed here; "
            "pip install -r requirements.txt, or send the work to a cluster (--workers)",
            file=sys.stderr,
        )
        return INPUT_ERROR_STATUS
    except SystemExit as end:  # only code that the user named does that; no command does
        print(
            f"stitchlab {options.name_of_command}: the code that was named ended the program "
            f"(SystemExit: {end.code}); let it return a torch.nn.Module",
            file=sys.stderr,
        )
        return INPUT_ERROR_STATUS
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return INTERRUPTED_STATUS
    except BrokenPipeError:  # the program that reads stdout, such as `| head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=_program(),
        description="Stitch neural networks and see how similar they are.",
        epilog=_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"StitchLab {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace, Store], int | None], text: str) -> Parser:
        subparser: Parser = commands.add_parser(name, help=text, description=text)
        subparser.set_defaults(command=run, name_of_command=name)
        subparser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
        subparser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
        return subparser

    networks.add(command)
    layers.add(command)
    runs.add(command)
    ood.add(command)
    probe.add(command)
    check.add(command)
    export.add(command)
    kept.add(command)
    store_commands.add(command)
    app.add(command)
    return parser


def _program() -> str:
    """Return the name under which this program was started, for its messages."""
    return "stitchlab" if Path(sys.argv[0]).stem == "stitchlab" else "python -m stitchlab"


def _settings() -> str:
    """List the environment variables that are settings, and say where results are kept at present."""
    settings = [
        textwrap.fill(f"{name}: {text}.", 100, initial_indent="  ", subsequent_indent=" " * 6)
        for name, text in SETTINGS.items()
    ]
    return "\n".join([f"Results are kept in {cache()}", "", "Settings are environment variables:", *settings])


if __name__ == "__main__":
    sys.exit(main())
