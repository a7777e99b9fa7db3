"""The tokens: one for each word or character, those that Whisper steers with, and the timestamps.

The network is trained with a compact vocabulary. The exported one has the order that faster-whisper and CTranslate2
expect: text, end, start, all languages, tasks, timestamps to the very end. CTranslate2 takes a model whose vocabulary
holds the empty token for a multilingual one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from faster_whisper.tokenizer import _LANGUAGE_CODES as LANGUAGES_OF_WHISPER
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tools.model.grammar import GRAMMARS

END = "<|endoftext|>"
START = "<|startoftranscript|>"
TRANSCRIBE = "<|transcribe|>"
PROMPT = "<|startofprev|>"
NO_SPEECH = "<|nospeech|>"
NO_TIMESTAMPS = "<|notimestamps|>"
TASKS = ("<|translate|>", TRANSCRIBE, "<|startoflm|>", PROMPT, NO_SPEECH, NO_TIMESTAMPS)
TIMESTAMPS = 1501
"""From 0.00 to 30.00 s."""
TIMESTAMPS_PER_S = 50
EMPTY = ""


class Vocabulary:
    """Numbers for everything the network reads and writes."""

    def __init__(self) -> None:
        """Learn the tokens of the text from the grammars; the same ones every time."""
        self.units = sorted(set().union(*(grammar.units() for grammar in GRAMMARS.values())))
        self.tokenizer = _tokenizer(self.units)
        self.languages = tuple(GRAMMARS)
        text = [token for token, _ in sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1])]
        steering = [EMPTY, END, START, *map(language_token, self.languages), *TASKS]
        names = text + steering
        self._id = {name: number for number, name in enumerate(names)}
        self.of_unit = {unit: self.tokenizer.encode(unit).ids[0] for unit in self.units}
        self._text = text
        self.first_timestamp = len(names)
        self.size = len(names) + TIMESTAMPS

    def __getitem__(self, name: str) -> int:
        """Return the number of a token that Whisper steers with."""
        return self._id[name]

    def timestamp(self, position: int) -> int:
        """Return the token of a time, given in fiftieths of a second; the last one for whatever is later."""
        return self.first_timestamp + min(position, TIMESTAMPS - 1)

    def exported(self) -> list[tuple[str, int]]:
        """Return the name of every exported token, in order, and the number here of what it is a copy of.

        Whisper has a hundred languages. Those that this model does not know behave like English.
        """
        others = [code for code in LANGUAGES_OF_WHISPER if code not in self.languages]
        steering = [EMPTY, END, START, *map(language_token, self.languages)]
        return [
            *((token, number) for number, token in enumerate(self._text)),
            *((name, self[name]) for name in steering),
            *((language_token(code), self[language_token("en")]) for code in others),
            *((name, self[name]) for name in TASKS),
            *((f"<|{place / TIMESTAMPS_PER_S:.2f}|>", self.timestamp(place)) for place in range(TIMESTAMPS)),
        ]

    def tokenizer_file(self) -> dict[str, Any]:
        """Return what ``tokenizer.json`` of the exported model says."""
        content: dict[str, Any] = json.loads(self.tokenizer.to_str())
        steering = [(number, name) for number, (name, _) in enumerate(self.exported()) if name.startswith("<|")]
        content["model"]["vocab"] |= {name: number for number, name in steering}
        content["added_tokens"] = [
            {
                "id": number,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                # A timestamp is no special token: decoding a text must be able to keep it.
                "special": not name[2].isdigit(),
            }
            for number, name in steering
        ]
        return content


def language_token(language: str) -> str:
    """Return the name of the token of a language."""
    return f"<|{language}|>"


def _tokenizer(units: Sequence[str]) -> Tokenizer:
    """Make a byte-level BPE that has merged each unit into one token.

    All 256 bytes are tokens too, so that no text at all is without tokens: faster-whisper encodes ``" -"`` at start.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=20_000,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
    )
    tokenizer.train_from_iterator(units, trainer)
    return tokenizer
