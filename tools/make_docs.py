"""Write the parts of the documentation that are made from the code.

``python -m tools.make_docs`` writes them; with ``--check`` it only says which are not current and exits with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipeline.config import NOT_IN_EFFECT, Settings, described, node_at, schema

ROOT = Path(__file__).resolve().parent.parent

_INTRODUCTION = """\
<!-- Made by tools/make_docs.py from pipeline/config/settings.py; do not edit. -->

# Configuration

The daemon reads `config.json`, or the file named by `--config`: JSON in UTF-8 that may hold `//` comments.
Everything has a default, so `{}` is a complete file. Keys are written here with their section, as in `api.port`;
in the file a section is an object: `{"api": {"port": 8000}}`.

- **Order of strength**: command line, environment, file, default.
- **Environment**: `TRANSCRIBED_SECTION__KEY`, as in `TRANSCRIBED_API__PORT=9000`; lists as JSON, as in
  `TRANSCRIBED_DOWNLOAD__ALLOW_HOSTS='["10.0.0.0/8"]'`.
- **Secrets** can be kept elsewhere: `{"env": "NAME"}` takes an environment variable, `{"file": "PATH"}` a file.
  Relative paths start from the working directory.
- **Mistakes**, an unknown key among them, stop the start with exit code 2, and all are named at once.
  `python run_daemon.py --check-config` only looks for them.
- **Editors** complete and check the file by `"$schema": "./docs/config.schema.json"`.

Keys marked ° are taken but not in effect yet: what they set is not built. The daemon names those that are set
to something else than their default when it starts.
"""


def configuration_schema() -> str:
    """Make the JSON Schema of the configuration file."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def configuration_reference() -> str:
    """Make the table of all keys, section by section."""
    parts = [_INTRODUCTION]
    for section, field in Settings.model_fields.items():
        summary = (type(field.default).__doc__ or "").strip()
        parts.append(f"\n## `{section}`\n\n{summary}\n\n| key | default | value | meaning |\n|---|---|---|---|\n")
        parts += [_row(section, key) for key in type(field.default).model_fields]
    return "".join(parts)


def _row(section: str, key: str) -> str:
    node = node_at((section, key))
    mark = "°" if f"{section}.{key}" in NOT_IN_EFFECT else ""
    default = json.dumps(node["default"], ensure_ascii=False)
    value, _ = described(node)
    return f"| `{section}.{key}`{mark} | `{default}` | {value} | {node['description']} |\n"


DOCUMENTS = {
    "docs/config.schema.json": configuration_schema,
    "docs/configuration.md": configuration_reference,
}


def main() -> int:
    """Write or check every document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a document is not current")
    check = parser.parse_args().check
    stale = [name for name, make in DOCUMENTS.items() if not _is_current(ROOT / name, make())]
    for name in stale:
        print(f"{name}: {'not current, run python -m tools.make_docs' if check else 'written'}")  # noqa: T201 - a script speaks to its user
        if not check:
            (ROOT / name).write_text(DOCUMENTS[name](), encoding="utf-8")
    return int(check and bool(stale))


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
