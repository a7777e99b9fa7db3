"""The settings, read and checked.

`values` are the kinds of values, `settings` the keys, `schema` their JSON Schema, `file` the reader of the file,
`load` puts file, environment and command line together, `judge` finds all that is wrong with it, `problems` words it,
`checks` looks at the whole, `live` holds what is in force.
"""

from pipeline.config.checks import (
    NOT_IN_EFFECT,
    exposure,
    is_loopback_host,
    not_in_effect,
    secrets_of,
)
from pipeline.config.live import LIVE, Change, Live
from pipeline.config.load import load_settings
from pipeline.config.schema import described, node_at, schema
from pipeline.config.settings import LlmSettings, LogSettings, RobotSettings, Settings, TranscribeSettings

__all__ = [
    "LIVE",
    "NOT_IN_EFFECT",
    "Change",
    "Live",
    "LlmSettings",
    "LogSettings",
    "RobotSettings",
    "Settings",
    "TranscribeSettings",
    "described",
    "exposure",
    "is_loopback_host",
    "load_settings",
    "node_at",
    "not_in_effect",
    "schema",
    "secrets_of",
]
