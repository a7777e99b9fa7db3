"""What is said: sentences of a small closed vocabulary, English and Mandarin.

A pattern is a line of words. A word in capitals stands for any word of that class, one in brackets is there half of
the time, and the mark at the end is the sentence's.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

HELD_OUT_OF = 10
"""One sentence of so many, chosen by its text, is never trained on."""


@dataclass(frozen=True)
class Unit:
    """What becomes one token: a word of English, a character of Mandarin."""

    written: str
    """With the space that stands before it, if any."""
    spoken: str
    """What the synthesizer is given: the word, or the character's pinyin with the number of its tone."""


@dataclass(frozen=True)
class Sentence:
    """One sentence, and how it is said."""

    language: str
    units: tuple[Unit, ...]
    mark: str
    loose: bool = False
    """Whether these are words at random, not a sentence of the grammar."""

    @property
    def text(self) -> str:
        """What is written, with the space before the first word that Whisper's texts begin with."""
        return "".join(unit.written for unit in self.units) + self.mark

    @property
    def held_out(self) -> bool:
        """Whether it is kept for evaluation; the same text always is or never is."""
        return zlib.crc32(self.text.encode()) % HELD_OUT_OF == 0


Word = tuple[Unit, ...]


@dataclass(frozen=True)
class Grammar:
    """The words and patterns of one language."""

    language: str
    classes: Mapping[str, tuple[Word, ...]]
    """Words that may stand for each other, by the name that patterns give them."""
    fixed: Mapping[str, Word]
    """Words that patterns name themselves."""
    patterns: tuple[str, ...]
    loose_share: float
    """Share of word strings at random, so that the decoder does not lean on the grammar alone."""
    most_loose: int
    """How many words such a string has at most."""

    def sentence(self, rng: random.Random) -> Sentence:
        """Say anything."""
        if rng.random() < self.loose_share:
            words = [rng.choice(rng.choice(self._kinds)) for _ in range(rng.randint(2, self.most_loose))]
            return self._written(words, self.patterns[0][-1], loose=True)
        pattern = rng.choice(self.patterns)
        words = [self._word(name, rng) for name in pattern[:-1].split() if name[0] != "[" or rng.random() < 0.5]
        return self._written(words, pattern[-1], loose=False)

    def words(self) -> list[Word]:
        """Return all words; those of several classes as often."""
        return [word for kind in self._kinds for word in kind]

    def units(self) -> set[str]:
        """Return everything that is ever written, in parts that become one token each."""
        words = self.words()
        plain = {unit.written for word in words for unit in word}
        first = {self._written([word], "", loose=False).units[0].written for word in words}
        return plain | first | {pattern[-1] for pattern in self.patterns}

    @cached_property
    def _kinds(self) -> list[tuple[Word, ...]]:
        return [*self.classes.values(), tuple(self.fixed.values())]

    def _word(self, name: str, rng: random.Random) -> Word:
        name = name.strip("[]")
        return rng.choice(self.classes[name]) if name in self.classes else self.fixed[name]

    def _written(self, words: list[Word], mark: str, *, loose: bool) -> Sentence:
        """Put words one after the other; the first letter, where letters have capitals, is one."""
        units = [unit for word in words for unit in word]
        first = units[0].written
        at = len(first) - len(first.lstrip())
        units[0] = Unit(first[:at] + first[at:][0].upper() + first[at + 1 :], units[0].spoken)
        return Sentence(self.language, tuple(units), mark, loose)


def _english(words: str) -> tuple[Word, ...]:
    return tuple((Unit(f" {word}", word),) for word in words.split())


def _mandarin(words: str) -> tuple[Word, ...]:
    """Read words written as ``characters:pinyin,pinyin``."""
    return tuple(
        tuple(Unit(character, pinyin) for character, pinyin in zip(characters, readings.split(","), strict=True))
        for characters, _, readings in (word.partition(":") for word in words.split())
    )


ENGLISH = Grammar(
    language="en",
    classes={
        "ADJECTIVE": _english("big small old new quiet fast slow open cold warm strong simple ready"),
        "COLOR": _english("red blue green white black yellow"),
        "DAY": _english("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
        "JOIN": _english("and or"),
        "NOUN": _english(
            "camera server file report video window table garden bridge train market river engine signal letter "
            "picture mountain house ship"
        ),
        "NUMBER": _english("zero one two three four five six seven eight nine ten twenty thirty"),
        "ORDER": _english("before after"),
        "PART": _english("morning evening night"),
        "PERSON": _english("doctor teacher student friend team driver"),
        "PLACE": _english("in near behind before after with from under"),
        "STATE": _english("ready open slow"),
        "TIME": _english("now today tomorrow again"),
        "VERB": _english("open close start stop check move send build paint clean record upload delete repair"),
        "WHO": _english("we you they"),
    },
    fixed={
        word[0].spoken: word
        for word in _english(
            "the a and is was will can please then we you not number channel on with again from they or"
        )
    },
    patterns=(
        "please VERB the ADJECTIVE NOUN [TIME].",
        "the COLOR NOUN is PLACE the ADJECTIVE NOUN.",
        "we will VERB NOUN number NUMBER on DAY.",
        "the NOUN was ADJECTIVE JOIN the NOUN was ADJECTIVE.",
        "they can VERB the NOUN ORDER the NOUN.",
        "DAY PART the PERSON will VERB a COLOR NOUN.",
        "channel NUMBER NUMBER [NUMBER] [NUMBER] [NUMBER] is STATE.",
        "is the NOUN [not] ADJECTIVE?",
        "you and the PERSON can VERB a ADJECTIVE COLOR NOUN TIME.",
        "then VERB the NOUN with the NOUN [again].",
        "WHO will not VERB the COLOR NOUN TIME.",
        "can WHO VERB the NOUN from the PERSON?",
        "the PERSON is PLACE the COLOR NOUN.",
    ),
    loose_share=0.12,
    most_loose=8,
)

MANDARIN = Grammar(
    language="zh",
    classes={
        "ADJECTIVE": _mandarin("大:da4 小:xiao3 新:xin1 旧:jiu4"),
        "COLOR": _mandarin("红色:hong2,se4 蓝色:lan2,se4 白色:bai2,se4"),
        "DAY": _mandarin("一:yi1 二:er4 三:san1 四:si4 五:wu3 六:liu4"),
        "NOUN": _mandarin(
            "电脑:dian4,nao3 视频:shi4,pin2 文件:wen2,jian4 房子:fang2,zi5 书:shu1 水:shui3 苹果:ping2,guo3 "
            "汽车:qi4,che1 火车:huo3,che1"
        ),
        "NUMBER": _mandarin("一:yi1 二:er4 三:san1 四:si4 五:wu3 六:liu4 七:qi1 八:ba1 九:jiu3 十:shi2"),
        "PERSON": _mandarin(
            "我:wo3 你:ni3 他:ta1 我们:wo3,men5 他们:ta1,men5 老师:lao3,shi1 学生:xue2,sheng1 医生:yi1,sheng1 "
            "朋友:peng2,you3"
        ),
        "PLACE": _mandarin("北京:bei3,jing1 上海:shang4,hai3 学校:xue2,xiao4"),
        "TIME": _mandarin("今天:jin1,tian1 明天:ming2,tian1 昨天:zuo2,tian1 早上:zao3,shang4 晚上:wan3,shang4"),
        "VERB": _mandarin("看:kan4 买:mai3 打开:da3,kai1 关闭:guan1,bi4 检查:jian3,cha2 发送:fa1,song4 学习:xue2,xi2"),
    },
    fixed={
        "".join(unit.written for unit in word): word
        for word in _mandarin(
            "去:qu4 请:qing3 号:hao4 有:you3 的:de5 在:zai4 和:he2 喜欢:xi3,huan1 星期:xing1,qi1 需要:xu1,yao4 "
            "很:hen3 不:bu4"
        )
    },
    patterns=(
        "TIME PERSON 去 PLACE VERB NOUN。",
        "请 VERB NUMBER 号 NOUN。",
        "PERSON 有 ADJECTIVE 的 NOUN。",
        "COLOR 的 NOUN 在 PLACE。",
        "PERSON 和 PERSON [不] 喜欢 NOUN。",
        "星期 DAY PERSON 需要 VERB NOUN。",
        "PERSON 的 NOUN 很 ADJECTIVE。",
    ),
    loose_share=0.1,
    most_loose=6,
)

GRAMMARS = {grammar.language: grammar for grammar in (ENGLISH, MANDARIN)}
