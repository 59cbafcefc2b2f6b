"""The encodings that old Vietnamese office files come in: which one it is, and reading it.

`UTF-8` and `UTF-16` are told by their bytes. Windows-1258, TCVN3 (TCVN 5712, the ABC fonts
``.VnTime``) and VNI cannot be told by bytes alone: each is tried, and the one whose words look most
like Vietnamese syllables is named first. That is a guess over a whole file, and wrong for some
single names, so the person sees a preview and decides.

A name with a plus, as ``utf-8+tcvn3``, is legacy letters inside valid Unicode: a table once typed
in an ABC or VNI font and saved since as UTF-8 or as a workbook ("Ph­êng BÕn Thµnh").

The tables are written out from the standards. TCVN3 agrees with glibc's ``TCVN`` for the letters
(A0 to FF); 80 to 9F are read as Windows' quotes and dashes, as offices had them, and not as the
capitals of the standard's first part, which Windows fonts never carried. Capital ABC fonts
(``.VnTimeH``) store small letters and draw them large: "QUËN" is Q, U, small ậ, N; `convert` makes
such a cell all capitals, the streaming decoder leaves the small letter.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Protocol

from hotspots.errors import IntakeError

LEGACY = ("cp1258", "tcvn3", "vni")
IN_UNICODE = ("tcvn3", "vni")
ENCODINGS = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    *LEGACY,
    *(
        f"{base}+{letters}"
        for base in ("utf-8", "utf-16-le", "utf-16-be")
        for letters in IN_UNICODE
    ),
)

_TCVN3 = (
    "\xa0ĂÂÊÔƠƯĐăâêôơưđẰ"  # A0
    "\u0300\u0309\u0303\u0301\u0323àảãáạẲằẳẵắẴ"  # B0
    "ẮẦẨẪẤỀặầẩẫấậèỂẻẽ"  # C0
    "éẹềểễếệìỉỄẾỒĩíịò"  # D0
    "Ổỏõóọồổỗốộờởỡớợù"  # E0
    "ỖủũúụừửữứựỳỷỹýỵỐ"  # F0
)
# VNI writes a vowel, then a letter that stands for its marks; as combining marks they compose.
_VNI_MARKS = {
    "ù": "\u0301",
    "ø": "\u0300",
    "û": "\u0309",
    "õ": "\u0303",
    "ï": "\u0323",
    "â": "\u0302",
    "á": "\u0302\u0301",
    "à": "\u0302\u0300",
    "å": "\u0302\u0309",
    "ã": "\u0302\u0303",
    "ä": "\u0302\u0323",
    "ê": "\u0306",
    "é": "\u0306\u0301",
    "è": "\u0306\u0300",
    "ú": "\u0306\u0309",
    "ü": "\u0306\u0303",
    "ë": "\u0306\u0323",
}
_VNI_LETTERS = {
    "ô": "ơ",
    "ö": "ư",
    "ñ": "đ",
    "í": "í",
    "ì": "ì",
    "æ": "ỉ",
    "ó": "ĩ",
    "ò": "ị",
    "î": "ỵ",
}
_MOST_MARKS = 16  # of one letter, held back until the next letter shows that it is complete
_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_WORD = re.compile(r"[^\s\x00-@\[-`{-\x7f“”‘’«»–—…\u00a0]+")
_SAMPLE_WORDS = 2_000
_LONGEST_SAMPLE = 200
_REMEMBERED = 50_000
_NUL_SHARE = 0.2
_KNOWN_SHARE = 0.9
_HIGH_BYTES = b"\x00\x01\x03\x1e\x20"  # of Vietnamese letters, marks, quotes and dashes
_SEEN = 0.2  # of the words that are no syllables, to look at them at all
_SURE = 0.6  # of those, that conversion must turn into syllables
_REAL = re.compile("[ĂăĐđĨĩŨũƠơƯư\u1ea0-\u1ef9]")  # Vietnamese letters that such fonts lack

_ONSETS = "b c ch d đ g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x"
_RHYMES = """
a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên ênh êp êt êu
i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oc oe oen oeo oet oi om
on ong oong ooc op ot ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uêu uôc uôi uôm uôn uông uôt uơ uy uya
uych uyn uynh uyt uyu uyên uyêt ư ưa ưc ưi ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu
y yêm yên yêng yêt yêu
"""


class Decoder(Protocol):
    """What turns bytes into text piece by piece."""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text of the next bytes; what is not complete yet is held back."""


def detect(sample: bytes) -> tuple[str, ...]:
    """Return the encodings that fit the beginning of a file, the likeliest first.

    Nothing fits what is no text, for example bytes with NUL that are no UTF-16.

    Examples
    --------
    >>> detect("Phường Bến Thành".encode())
    ('utf-8',)
    >>> detect("Phường Bến Thành".encode("utf-16"))
    ('utf-16-le',)
    >>> detect(b"Ph\\xad\\xeang B\\xd5n Th\\xb5nh, Ph\\xad\\xeang \\xa7a Kao")[0]
    'tcvn3'
    >>> detect("Ph­êng BÕn Thµnh".encode())
    ('utf-8', 'utf-8+tcvn3')
    """
    wide = _wide(sample)
    if wide:
        sample = sample[: len(sample) // 2 * 2]
        return _with_letters(wide, sample.decode(wide, "replace"))
    if b"\x00" in sample:
        return ()
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(sample)
    except UnicodeDecodeError:
        return _legacy(sample)
    return _with_letters("utf-8", text)


def decoder(encoding: str) -> Decoder:
    """Return what decodes one of `ENCODINGS` piece by piece, wherever the pieces are cut.

    Legacy letters come composed (NFC), and a byte order mark is dropped. Bytes that mean nothing in
    the encoding raise UnicodeDecodeError.

    Examples
    --------
    >>> pieces = decoder("vni")
    >>> pieces.decode(b"Be") + pieces.decode("án".encode("latin-1"), final=True)
    'Bến'
    """
    if encoding not in ENCODINGS:
        raise IntakeError(
            "encoding_unknown",
            f"Encoding {encoding!r} is not known; choose one of {', '.join(ENCODINGS)}.",
            encoding=encoding,
            allowed=ENCODINGS,
        )
    base, _, letters = encoding.partition("+")
    if letters:
        return _Composed(_Plain(base), _letters(letters))
    match base:
        case "tcvn3":
            return _Composed(_Drawn(), _letters(base))
        case "vni":
            return _Composed(_Plain("cp1252"), _letters(base))
        case "cp1258":
            return _Composed(_Plain(base), {})
    return _Plain(base)


def convert(text: str, encoding: str) -> str:
    """Return legacy letters inside Unicode text as Vietnamese letters, composed.

    Only ``tcvn3`` and ``vni`` occur so; with a name as ``utf-8+vni`` what follows the plus counts.
    A cell that was typed in a capital ABC font becomes all capitals; one that holds letters which
    those fonts lack is in Unicode already and stays.

    Examples
    --------
    >>> convert("Phöôøng Beán Thaønh", "vni"), convert("QUËN 1", "tcvn3")
    ('Phường Bến Thành', 'QUẬN 1')
    """
    letters = encoding.rpartition("+")[2]
    if letters not in IN_UNICODE or text.isascii() or _REAL.search(text):
        return text
    plain = unicodedata.normalize("NFC", text.translate(_letters(letters)))
    typed_large = letters == "tcvn3" and not re.search("[a-z]", text)
    return plain.upper() if typed_large and re.search("[A-Z]{2}", text) else plain


def looks_legacy(text: str) -> str | None:
    """Return ``tcvn3`` or ``vni`` if text in Unicode looks as if typed in such a font.

    A single name may look like both, or like neither; look at many cells together.

    Examples
    --------
    >>> looks_legacy("Ph­êng BÕn Thµnh"), looks_legacy("Phường Bến Thành"), looks_legacy("Café")
    ('tcvn3', None, None)
    """
    words = _words(text)
    odd = [word for word in words if not _is_syllable(word)]
    if not odd or len(odd) < _SEEN * len(words):
        return None
    scores = {name: _share([convert(word, name) for word in odd]) for name in IN_UNICODE}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= _SURE else None


class Letters:
    """Legacy letters in the cells of one file: converts them if wished, and says if it sees any.

    Parameters
    ----------
    wished : str, optional
        The encoding that the person chose; only ``tcvn3`` and ``vni`` change anything.
    """

    def __init__(self, wished: str | None) -> None:
        self._wished = wished or ""
        self._words: set[str] = set()
        self._read = lru_cache(_REMEMBERED)(self._convert)

    def read(self, text: str) -> str:
        """Return a cell's text, converted if that was wished."""
        return text if text.isascii() else self._read(text)

    def seen(self) -> str | None:
        """Return which legacy letters the cells read so far seem to hold."""
        return looks_legacy(" ".join(self._words))

    def _convert(self, text: str) -> str:
        if len(self._words) < _SAMPLE_WORDS:
            self._words.add(text[:_LONGEST_SAMPLE])
        return convert(text, self._wished)


class _Plain:
    """A decoder of Python's own; a byte order mark is dropped."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._begun = False

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text of the next bytes."""
        text = self._decoder.decode(data, final)
        if text and not self._begun:
            self._begun = True
            return text.removeprefix("\ufeff")
        return text


class _Drawn:
    """Bytes of an ABC font as letters of Latin-1, and of Windows below A0."""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text of the next bytes."""
        return codecs.charmap_decode(data, "strict", _abc_bytes())[0]


class _Composed:
    """A decoder whose letters are translated and composed, never cut within a letter."""

    def __init__(self, inner: Decoder, letters: Mapping[int, str]) -> None:
        self._inner = inner
        self._letters = letters
        self._held = ""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text of the next bytes, without a last letter that may yet get a mark."""
        text = self._held + self._inner.decode(data, final).translate(self._letters)
        cut = len(text) if final else _last_letter(text)
        self._held = text[cut:]
        return unicodedata.normalize("NFC", text[:cut])


def _last_letter(text: str) -> int:
    """Return where the last letter with its marks begins."""
    for back in range(1, min(len(text), _MOST_MARKS) + 1):
        if not unicodedata.combining(text[-back]):
            return len(text) - back
    return len(text)


@cache
def _letters(name: str) -> Mapping[int, str]:
    """Return the letters that a font drew for letters of Latin-1."""
    if name == "tcvn3":
        return {0xA0 + place: letter for place, letter in enumerate(_TCVN3)}
    small = {ord(letter): marks for letter, marks in (_VNI_MARKS | _VNI_LETTERS).items()}
    large = {ord(letter.upper()): marks for letter, marks in _VNI_MARKS.items()}
    capitals = {ord(letter.upper()): drawn.upper() for letter, drawn in _VNI_LETTERS.items()}
    return small | large | capitals


@cache
def _abc_bytes() -> str:
    """Return 256 letters; what Windows does not define is U+FFFE, which is an error."""
    low = bytes(range(0xA0)).decode("cp1252", "replace").replace("\ufffd", "\ufffe")
    return low + bytes(range(0xA0, 0x100)).decode("latin-1")


def _wide(sample: bytes) -> str:
    """Return which UTF-16 it is: by its mark, or by where the NUL bytes are."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16-le" if sample.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    pairs = len(sample) // 2
    if not pairs:
        return ""
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        high, low = sample[start : pairs * 2 : 2], sample[1 - start : pairs * 2 : 2]
        known = pairs - len(high.translate(None, _HIGH_BYTES))
        if high.count(0) >= _NUL_SHARE * pairs and known >= _KNOWN_SHARE * pairs and 0 not in low:
            return name
    return ""


def _with_letters(encoding: str, text: str) -> tuple[str, ...]:
    letters = looks_legacy(text)
    return (encoding, f"{encoding}+{letters}") if letters else (encoding,)


def _legacy(sample: bytes) -> tuple[str, ...]:
    """Return the legacy encodings that can decode the sample, the most Vietnamese first."""
    scores = {}
    for name in LEGACY:
        try:
            text = decoder(name).decode(sample, final=True)
        except UnicodeDecodeError:
            continue
        scores[name] = _share(_words(text))
    return tuple(sorted(scores, key=lambda name: -scores[name]))


def _words(text: str) -> list[str]:
    """Return the words that are not plain ASCII, the first of them."""
    words = []
    for match in _WORD.finditer(text):
        if not match[0].isascii():
            words.append(match[0])
            if len(words) == _SAMPLE_WORDS:
                break
    return words


def _share(words: list[str]) -> float:
    """Return the share of words that are shaped like a Vietnamese syllable."""
    return sum(map(_is_syllable, words)) / len(words) if words else 0.0


def _is_syllable(word: str) -> bool:
    decomposed = unicodedata.normalize("NFD", word.lower())
    tones = _TONES.findall(decomposed)
    bare = unicodedata.normalize("NFC", _TONES.sub("", decomposed))
    if len(tones) > 1 or bare not in _syllables():
        return False
    stopped = bare.endswith(("c", "ch", "p", "t"))
    return not stopped or not tones or tones[0] in "\u0301\u0323"


@cache
def _syllables() -> frozenset[str]:
    onsets = ("", *_ONSETS.split())
    return frozenset(onset + rhyme for onset in onsets for rhyme in _RHYMES.split()) | {"gi"}
