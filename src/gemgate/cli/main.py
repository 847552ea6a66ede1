"""`gemgate`: the commands and their flags."""

import argparse
import os
import sys
from collections.abc import Sequence

from gemgate import __version__
from gemgate.errors import SettingsError

DESCRIPTION = "The AI gateway for Google Gemini: any client, one port, nothing lost on the way."
EPILOG = """\
environment:
  GEMINI_API_KEYS   upstream keys, comma separated (also GEMINI_API_KEY, GOOGLE_API_KEY); none: the embedded model
  API_KEYS          the keys your clients send, comma separated; none: one is made at the first start
  HOST, PORT        where to listen (127.0.0.1, 7860)
  GEMINI_BASE_URL   another address of the Gemini API
  GEMGATE_CONFIG    a TOML file with all settings
  GEMGATE_DATA_DIR  the folder for the client key and the database
  GEMGATE_MEDIA_ALLOW
                    private hosts that media may be fetched from, comma separated
  GEMGATE_CHAT_IMAGES
                    where images of chat answers go: content (as markdown, the default) or field (`images`)
  GEMGATE_RESPONSES_RETENTION_DAYS
                    how long Responses and conversations are kept after their last use (30); 0 keeps nothing
  LOG_LEVEL         DEBUG, INFO, WARNING or ERROR
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name; exits with 2 for wrong settings."""
    chosen = _parser().parse_args(arguments)
    try:
        sys.exit(_run(chosen))
    except SettingsError as error:
        print(f"gemgate: {error}", file=sys.stderr)
        sys.exit(2)


def _run(chosen: argparse.Namespace) -> int:
    # Commands import what they need themselves, so that --help and --version answer at once.
    flags = {
        "config": chosen.config,
        "server.host": getattr(chosen, "host", None),
        "server.port": getattr(chosen, "port", None),
        "server.workers": getattr(chosen, "workers", None),
    }
    if chosen.command == "doctor":
        from gemgate.cli.doctor import doctor

        return doctor(os.environ, flags)
    if chosen.command == "translate":
        from gemgate.cli.translate import translate

        return translate(os.environ, flags, chosen.path, chosen.file)
    from gemgate.cli.serve import serve

    return serve(os.environ, flags, reload=chosen.reload)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "gemgate", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"gemgate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", metavar="FILE", help="settings in TOML (GEMGATE_CONFIG)")
    serve = commands.add_parser("serve", parents=[config], help="run the server")
    serve.add_argument("--host", help="the address to listen on (HOST, default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="the port to listen on (PORT, default 7860)")
    serve.add_argument("--workers", type=int, help="processes that share the port (default 1)")
    serve.add_argument("--reload", action="store_true", help="start anew when the source changes")
    commands.add_parser("doctor", parents=[config], help="check settings, keys, upstream and embedded model")
    translate = commands.add_parser(
        "translate", parents=[config], help="show what would be sent upstream for a request, and send nothing"
    )
    translate.add_argument(
        "--path",
        default="/v1/chat/completions",
        help="where the request would go (default %(default)s; /v1/responses, /v1/messages, or "
        "/v1beta/models/MODEL:generateContent)",
    )
    translate.add_argument("file", nargs="?", default="-", metavar="FILE", help="the request's body (default: stdin)")
    return parser
