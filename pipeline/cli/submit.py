"""``submit URL…``: hand videos to the running daemon, and with ``--wait`` stay until their text is there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.cli import FAILED, FINE
from pipeline.cli._client import Client, Json, Refused, add_daemon_options, connect
from pipeline.cli._follow import follow, tell
from pipeline.cli.commands import LoadSettings

_EXAMPLES = """\
examples:
  run_daemon.py submit https://example.com/talk.mp4
        hand a video over; the daemon works on it whatever happens to this terminal
  run_daemon.py submit https://example.com/talk.mp4 --wait > talk.txt
        see how far it is, and keep the text
  run_daemon.py submit talk.mp4
        send a file of this machine
  run_daemon.py submit --language zh --priority high https://example.com/1 https://example.com/2
        several at once

Each video's task is printed as 'ID  address', or with --wait its text. What was submitted before is not done
again: its task is shown, unless --force is given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "urls", nargs="+", metavar="URL", help="address of a video, or a shared text around one; or a file"
    )
    parser.add_argument("--wait", action="store_true", help="show progress, stay to the end and print the text")
    how = parser.add_argument_group("how it is done; the configuration says what is not given")
    how.add_argument("--model", help="speech model, one of those in the configuration")
    how.add_argument("--language", metavar="CODE", help="language of the speech, such as zh or en")
    how.add_argument("--hotwords", metavar="TEXT", help="names and words to expect")
    how.add_argument("--prompt", metavar="TEXT", help="a text in the style of the speech")
    how.add_argument("--script", choices=["simplified", "traditional", "keep"], help="Chinese characters of the text")
    how.add_argument("--word-times", action="store_true", help="find the times of the words, too")
    how.add_argument(
        "--sequential", action="store_true", help="hear it without batches, as faster-whisper does: slower"
    )
    how.add_argument("--no-proofread", action="store_true", help="leave the text as it was heard")
    how.add_argument("--no-summary", action="store_true", help="make no summary")
    how.add_argument("--title", help="what the video is to be called")
    what = parser.add_argument_group("who gets it, and when")
    what.add_argument("--robot", metavar="NAME", help="the only WeCom robot that gets the messages")
    what.add_argument("--notify", choices=["all", "final", "none"], help="which messages are sent")
    what.add_argument("--priority", choices=["low", "normal", "high", "urgent"], help="who is taken first")
    what.add_argument("--force", action="store_true", help="do the work again although it is there")
    add_daemon_options(parser.add_argument_group("which daemon"))


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Submit every video; returns the exit code."""
    client, fields = connect(arguments, load), _fields(arguments)
    ids = [task_id for url in arguments.urls if (task_id := _submit(client, url, fields, arguments.wait))]
    code = FINE if len(ids) == len(arguments.urls) else FAILED
    if arguments.wait and ids:
        return max(code, tell(client, follow(client, list(dict.fromkeys(ids)))))
    return code


def _fields(arguments: argparse.Namespace) -> Json:
    """The body of the request without the address; what was not given is left to the configuration."""
    plain = {
        name: getattr(arguments, name) for name in ("model", "language", "hotwords", "prompt", "priority", "notify")
    }
    options = {
        "script": arguments.script,
        "word_times": arguments.word_times or None,
        "sequential": arguments.sequential or None,
        "proofread": False if arguments.no_proofread else None,
        "summarize": False if arguments.no_summary else None,
    }
    fields = {
        **plain,
        "wechat_webhook": arguments.robot,
        "force": arguments.force or None,
        "options": {name: value for name, value in options.items() if value is not None} or None,
        "metadata": {"title": arguments.title} if arguments.title else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _submit(client: Client, url: str, fields: Json, wait: bool) -> str | None:  # noqa: FBT001 - the command's own option
    """Submit one video and say which task it is; one that is refused does not keep the others back."""
    file = Path(url)
    try:
        data = client.upload(file, fields) if _is_file(file) else client.submit({"url": url, **fields})
    except Refused as refusal:
        # A name that was mistyped is sent as an address; it should not be taken for one by its owner, too.
        no_file = ("", "") if "://" in url else (" There is no such file here either.", "本机也没有这个文件。")
        told = (f"{url}: {refusal.message}{no_file[0]}", f"{refusal.localized}{no_file[1]}")
        print(*told, sep="\n", file=sys.stderr)
        return None
    known = "  (the same work is already there; --force does it again)" if data["duplicate_of"] else ""
    print(f"{data['task_id']}  {url}{known}", file=sys.stderr if wait else sys.stdout)
    return str(data["task_id"])


def _is_file(path: Path) -> bool:
    """Tell a file from an address, which may be longer than any name and hold what no name may."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
