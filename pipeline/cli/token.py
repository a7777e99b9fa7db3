"""``token new NAME``, ``list`` and ``revoke NAME``: tokens for the API, which a running daemon heeds at once."""

from __future__ import annotations

import argparse
import sys

from pipeline.cli import FINE
from pipeline.cli.commands import LoadSettings, add_action
from pipeline.errors import CommandFailed, DataFolderUnusable
from pipeline.keyring import DEFAULT_OWNER, NAME, MadeTokens, digest_of, new_token
from pipeline.log import set_up_for_command

_EXAMPLES = """\
examples:
  run_daemon.py token new phone     make a token named 'phone'; it is shown once, only its digest is kept
  run_daemon.py token list          the names of all tokens made so
  run_daemon.py token revoke phone  from now on the daemon does not know it any more

Whoever has a token sees the tasks that were submitted with it, and no others. A running daemon heeds all this
at once. Tokens in the configuration (api.auth_token) are not listed here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="new NAME | list | revoke NAME")
    new = add_action(actions, "new", "make a token and show it, this once")
    new.add_argument("name", type=_name, metavar="NAME", help="1 to 64 letters, digits or _ . -")
    add_action(actions, "list", "list the names of the tokens that were made")
    revoke = add_action(actions, "revoke", "take a token back")
    revoke.add_argument("name", metavar="NAME", help="name of the token")


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text == DEFAULT_OWNER:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected 1 to 64 letters, digits or _ . -, not beginning with t- and not {DEFAULT_OWNER!r}"
            f" / 应为 1 到 64 个字母、数字或 _ . -，不能以 t- 开头，也不能是 {DEFAULT_OWNER!r}"
        )
    return text


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Do what was asked; returns the exit code."""
    set_up_for_command()
    tokens = MadeTokens(load().storage.dir)
    try:
        match arguments.action:
            case "new":
                _make(tokens, arguments.name)
            case "revoke":
                _revoke(tokens, arguments.name)
            case _:
                for name in sorted(tokens.owners().values()):
                    print(name)
    except PermissionError as error:
        raise CommandFailed(
            f"{error.filename}: {error.strerror}. Become the user that the daemon runs as: sudo -u USER …",
            f"{error.filename}：无法访问。请切换到运行服务的用户：sudo -u USER …",
        ) from None
    except OSError as error:
        raise DataFolderUnusable(f"{error.filename}: {error.strerror}") from None
    return FINE


def _make(tokens: MadeTokens, name: str) -> None:
    token = new_token()
    with tokens.changing() as names:
        if name in names:
            raise CommandFailed(
                f"There is a token named {name!r} already: choose another name, or revoke it first.",
                f"已有名为 {name!r} 的令牌：请换一个名称，或先将其吊销。",
            )
        names[name] = digest_of(token.encode())
    print(token)
    print("Keep it: it is not shown again. 请妥善保存，令牌不会再次显示。", file=sys.stderr)


def _revoke(tokens: MadeTokens, name: str) -> None:
    with tokens.changing() as names:
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise CommandFailed(
                f"There is no token named {name!r}; there are: {known}.",
                f"没有名为 {name!r} 的令牌；现有：{known}。",
            )
        del names[name]
    print(f"{name} is revoked / 已吊销", file=sys.stderr)
