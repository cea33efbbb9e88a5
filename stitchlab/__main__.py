"""The command line. Results go to stdout, progress and remarks to stderr; wrong input is one plain line and exit 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from stitchlab.cli import Parser, export, kept, networks, probe, runs
from stitchlab.cli import store as store_commands
from stitchlab.errors import StitchLabError
from stitchlab.store import Store

COMPUTES = ("torch", "torchvision", "scipy", "sklearn")  # what reading commands do without
STOPPED = 130  # what a shell expects of a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options, Store()) or 0
    except StitchLabError as error:
        print(f"stitchlab {options.name_of_command}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in COMPUTES:
            raise
        print(f"stitchlab {options.name_of_command}: this command computes, and {error.name} is not installed here; "
              "pip install -r requirements.txt, or send the work to a cluster (--workers)", file=sys.stderr)
        return 2
    except SystemExit as end:  # no command does that: somebody's own code, which it ran
        print(f"stitchlab {options.name_of_command}: the code that was named ended the program "
              f"(SystemExit: {end.code}); let it return a torch.nn.Module", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever reads (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m stitchlab", description="Stitch neural networks and see how similar they are.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace, Store], int | None], text: str) -> Parser:
        made: Parser = commands.add_parser(name, help=text, description=text)
        made.set_defaults(command=run, name_of_command=name)
        made.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
        made.add_argument("--seed", type=int, default=0, help="what everything drawn is drawn from (default: 0)")
        return made

    networks.add(command)
    runs.add(command)
    probe.add(command)
    export.add(command)
    kept.add(command)
    store_commands.add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
