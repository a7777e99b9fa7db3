"""A summary without an LLM: the sentences of the text that say most of what the others say (TextRank).

Mihalcea and Tarau, "TextRank: Bringing Order into Text", EMNLP 2004; sentences are alike by the weighted
words they share, and by pairs of characters where a script has no spaces.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from pipeline.core.text import sentences, shorten

MOST_RANKED = 300
"""Sentences that are compared with one another; a longer text is sampled evenly over its length."""
MOST_CHOSEN = 20
_FEWEST_TERMS = 4
"""A shorter sentence says too little to stand alone."""
_TERM_CHARACTERS = 400
"""How much of a sentence is compared; a text without stops is one endless sentence."""
_ALIKE = 0.6
"""Share of common terms from which two sentences say the same."""

_DAMPING = 0.85
_ROUNDS = 20

_LINE_CHARACTERS, _LINE_BYTES = 200, 600

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"([{_UNSPACED}]+)|((?:(?![{_UNSPACED}])[^\W_])+)")

Terms = frozenset[str]


def summarize(text: str) -> str:
    """Choose sentences that stand for the whole text, spread over it, and write them one a line in its order.

    The same text always gives the same summary; its length grows with the square root of the text's.
    """
    candidates = [(sentence, _terms(sentence)) for sentence in sentences(text)]
    candidates = [pair for pair in candidates if len(pair[1]) >= _FEWEST_TERMS] or candidates
    wanted = min(MOST_CHOSEN, round(math.sqrt(len(candidates))))
    sample = _sample(candidates, MOST_RANKED)
    chosen = _spread([terms for _, terms in sample], wanted)
    lines = [shorten(sample[place][0], characters=_LINE_CHARACTERS, limit_bytes=_LINE_BYTES) for place in chosen]
    return "\n".join(f"• {line}" for line in lines)


def _terms(sentence: str) -> Terms:
    """What a sentence is compared by: words, and pairs of characters where words are not spaced."""
    terms: set[str] = set()
    for run in _RUN.finditer(sentence[:_TERM_CHARACTERS].casefold()):
        unspaced = run[1]
        terms.update(map("".join, pairwise(unspaced)) if unspaced else [run[0]])
    return frozenset(terms)


def _sample(candidates: list[tuple[str, Terms]], most: int) -> list[tuple[str, Terms]]:
    if len(candidates) <= most:
        return candidates
    return [candidates[place * len(candidates) // most] for place in range(most)]


def _spread(bags: Sequence[Terms], wanted: int) -> list[int]:
    """Take the best of each of so many equal stretches, unless an earlier one says the same."""
    scores = _rank(bags)
    chosen: list[int] = []
    for stretch in range(wanted):
        places = range(stretch * len(bags) // wanted, (stretch + 1) * len(bags) // wanted)
        for place in sorted(places, key=lambda place: (-scores[place], place)):
            if not any(_overlap(bags[place], bags[earlier]) > _ALIKE for earlier in chosen):
                chosen.append(place)
                break
    return chosen


def _overlap(one: Terms, other: Terms) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))


def _rank(bags: Sequence[Terms]) -> list[float]:
    """Score every sentence by how well connected it is: PageRank over the graph of likeness."""
    edges = _likeness(bags)
    totals = [sum(weight for _, weight in row) for row in edges]
    scores = [1.0] * len(bags)
    for _ in range(_ROUNDS):
        shares = [score / total if total else 0.0 for score, total in zip(scores, totals, strict=True)]
        scores = [
            1 - _DAMPING + _DAMPING * sum(shares[place] * weight for place, weight in row) for row in edges
        ]  # fmt: skip
    return scores


def _likeness(bags: Sequence[Terms]) -> list[list[tuple[int, float]]]:
    """What all pairs of sentences share, relative to the logarithm of their lengths, as in the paper.

    A term counts for less the more sentences have it, so no list of empty words is needed.
    """
    spread = Counter(term for bag in bags for term in bag)
    weights = {term: math.log(len(bags) / count) for term, count in spread.items()}
    lengths = [math.log(1 + len(bag)) for bag in bags]
    edges: list[list[tuple[int, float]]] = [[] for _ in bags]
    for place, bag in enumerate(bags):
        for other in range(place):
            common = bag & bags[other]
            if common:
                weight = math.fsum(weights[term] for term in common) / (lengths[place] + lengths[other])
                edges[place].append((other, weight))
                edges[other].append((place, weight))
    return edges
