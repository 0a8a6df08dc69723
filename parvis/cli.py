"""The `parvis` command."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from configs.problems import SettingsError
from configs.settings import NAMED_FILE, load
from control.process import end_with_parent
from parvis.errors import CANNOT_START, StartError, explain


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status (CANNOT_START for what the operator can mend)."""
    parser = argparse.ArgumentParser(prog="parvis", description="Self-hosted video visits and hearings.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "run the whole of Parvis"),
        ("media", "run a media worker"),
        ("transcribe", "run a transcriber"),
        ("record", "run a recorder"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, help="settings file (TOML)")
        command.add_argument("--parent", type=int, help=argparse.SUPPRESS)  # ends with this process, which started it
    measuring = commands.add_parser("bench", help="measure this installation")
    if (arguments if arguments is not None else sys.argv[1:])[:1] == ["bench"]:
        from parvis import bench  # its modules are many, and needed by nothing else

        bench.add_commands(measuring)
        return bench.run(parser.parse_args(arguments))
    options = parser.parse_args(arguments)
    if options.parent is not None:
        end_with_parent(options.parent)
    try:
        settings = load(options.config)
        if options.config is not None:
            os.environ[NAMED_FILE] = str(options.config.absolute())  # workers started from here read the same file
        logging.basicConfig(
            level=settings.log_level.upper(),
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        for talkative in ("faster_whisper", "alembic"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
        if options.command == "media":
            import uvloop  # the media worker's cost is mostly that of waking up: docs/benchmarks.md

            from sfu.service import run

            try:
                uvloop.run(run(settings))
            except OSError as error:
                raise StartError.of_socket(error, "media.", settings.media.host, settings.media.port) from error
        elif options.command == "transcribe":
            from transcription.worker import run as transcribe

            asyncio.run(transcribe(settings))
        elif options.command == "record":
            from recordings.worker import run as record

            asyncio.run(record(settings))
        else:
            from parvis.serve import serve

            asyncio.run(serve(settings))
    except SettingsError as error:
        for problem in error.problems:
            print(f"parvis: {explain(problem)}", file=sys.stderr)
        return CANNOT_START
    except StartError as error:
        print(f"parvis: {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        return 130
    return 0
