"""The stages of one video, in order: two explicit tuples, nothing found by magic."""

from stages.compose import Compose
from stages.decode import Decode
from stages.download import Download
from stages.proofread import Proofread
from stages.resolve import Resolve
from stages.summarize import Summarize
from stages.transcribe import Transcribe

MEDIA = (Resolve(), Download(), Decode(), Transcribe())
"""From an address to a transcript."""

TEXT = (Proofread(), Summarize(), Compose())
"""From a transcript to a run of messages."""

ROUTE = (*MEDIA, *TEXT)
