"""Candidates of a typed word: edit distances, the deletion index, the search of the trie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.channel.candidates import near
from lmkit.channel.candidates.deletions import DeletionIndex
from lmkit.channel.candidates.distance import distances
from lmkit.channel.candidates.finder import RAREST_ASKED, CandidateFinder
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.candidates.scan import WordScan
from lmkit.channel.candidates.search import TrieSearch
from lmkit.channel.candidates.trie import WordTrie
from lmkit.channel.candidates.words import PackedWords, WordRows, alphabetical
from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.edits.damerau import Damerau
from lmkit.registry import names, resolve

from ..small_models import train

WORDS = st.lists(st.text("abcé", min_size=1, max_size=12), min_size=1, max_size=30, unique=True)


def brute_force_distance(a: str, b: str) -> int:
    """Optimal string alignment, by the textbook's table."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            best = min(
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
                table[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
            )
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                best = min(best, table[i - 2][j - 2] + 1)
            table[i][j] = best
    return table[-1][-1]


@given(WORDS, WORDS)
def test_distances_of_many_pairs_are_those_of_the_textbook(first: list[str], second: list[str]):
    right = WordTable.of(second)
    left = WordTable.of(first, right.alphabet)
    rows = np.repeat(np.arange(len(first)), len(second))
    columns = np.tile(np.arange(len(second)), len(first))
    found = distances(left, right, rows, columns)
    expected = [brute_force_distance(a, b) for a in first for b in second]
    # A letter that the second table has not is unlike any other, and so is it for brute force.
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("form", "from", 1), ("ca", "abc", 3), ("kitten", "sitting", 3), ("a", "a", 0)],
)
def test_distances_worked_by_hand(a: str, b: str, distance: int):
    right = WordTable.of([b])
    left = WordTable.of([a], right.alphabet)
    zero = np.zeros(1, np.int64)
    assert distances(left, right, zero, zero).tolist() == [distance]


def brute_force_near(typed: list[str], lexicon: list[str]) -> dict[tuple[int, int], int]:
    pairs = {
        (q, r): brute_force_distance(word, other)
        for q, word in enumerate(typed)
        for r, other in enumerate(lexicon)
    }
    return {pair: apart for pair, apart in pairs.items() if apart < 3}


@given(WORDS, WORDS)
def test_all_words_within_two_edits_are_found(lexicon: list[str], typed: list[str]):
    table = WordTable.of(lexicon)
    queries = WordTable.of(typed, table.alphabet)
    rows, found = DeletionIndex(table).lookup(queries)
    apart = distances(queries, table, rows, found)
    near = {
        (q, r): d
        for q, r, d in zip(rows.tolist(), found.tolist(), apart.tolist(), strict=True)
        if d < 3
    }
    assert len(set(zip(rows.tolist(), found.tolist(), strict=True))) == len(rows)
    assert near == brute_force_near(typed, lexicon)


@pytest.mark.slow
@pytest.mark.parametrize("counted", [True, False])
def test_a_scan_finds_all_words_within_two_edits_and_how_far_they_are(
    counted: bool, monkeypatch: pytest.MonkeyPatch
):
    if not counted:
        # As with NumPy 1.
        monkeypatch.delattr(np, "bitwise_count", raising=False)

    @given(WORDS, WORDS, st.integers(0, 30), st.integers(0, 8))
    def check(lexicon: list[str], typed: list[str], most: int, few: int) -> None:
        table = WordTable.of(lexicon)
        queries = WordTable.of(typed, table.alphabet)
        with pytest.MonkeyPatch.context() as patch:
            # Words are dropped on the way however few they are.
            patch.setattr(near, "FEW", few)
            rows, found, apart = WordScan(table).near(queries)
            likely = WordScan(table).near(queries, np.full(len(typed), most))
        pairs = list(zip(rows.tolist(), found.tolist(), strict=True))
        assert pairs == sorted(pairs)
        expected = brute_force_near(typed, lexicon)
        assert dict(zip(pairs, apart.tolist(), strict=True)) == expected
        likely_pairs = zip(*(part.tolist() for part in likely), strict=True)
        assert {(q, r): d for q, r, d in likely_pairs} == {
            pair: d for pair, d in expected.items() if pair[1] < most
        }

    check()


@pytest.mark.parametrize("length", [14, 15, 16, 30, 31, 32, 40, 60])
def test_a_scan_of_long_words(length: int):
    generator = np.random.default_rng(length)
    word = "".join(generator.choice(list("abcdefgh"), length))
    others = sorted({word, *(edited(word, generator, n) for n in (1, 2, 3, 4) for _ in range(50))})
    table = WordTable.of(others)
    _, found, apart = WordScan(table).near(WordTable.of([word], table.alphabet))
    assert {(0, r): d for r, d in zip(found.tolist(), apart.tolist(), strict=True)} == (
        brute_force_near([word], others)
    )


def test_distances_of_words_of_all_lengths_together():
    generator = np.random.default_rng(3)
    letters = list("abcdefgh")
    typed = ["".join(generator.choice(letters, n)) for n in (0, 1, 15, 16, 17, 31, 32, 33, 62, 63)]
    meant = [edited(word or "a", generator, n) for word in typed for n in (0, 1, 3, 6)]
    right = WordTable.of(meant)
    left = WordTable.of(typed, right.alphabet)
    rows = np.repeat(np.arange(len(typed)), len(meant))
    columns = np.tile(np.arange(len(meant)), len(typed))
    expected = [brute_force_distance(a, b) for a in typed for b in meant]
    assert distances(left, right, rows, columns).tolist() == expected


def edited(word: str, generator: np.random.Generator, edits: int) -> str:
    """``word`` after so many edits of any kind."""
    for _ in range(edits):
        place, letter = (
            int(generator.integers(len(word) + 1)),
            str(generator.choice(list("abcxyz"))),
        )
        kind = generator.integers(4)
        taken = 2 if kind == 3 else int(kind > 0)
        new = [letter, "", letter, word[place : place + 2][::-1]][kind]
        word = word[:place] + new + word[place + taken :]
    return word


@given(
    st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=160), max_size=6), unique=True),
    st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=160), max_size=6), unique=True),
    st.integers(0, 9),
)
def test_a_scan_finds_what_the_index_does_also_with_many_letters(
    lexicon: list[str], typed: list[str], most: int
):
    table = WordTable.of(lexicon)
    queries = WordTable.of(typed, table.alphabet)
    reach = np.full(len(typed), most)
    rows, found = DeletionIndex(table).lookup(queries, reach)
    apart = distances(queries, table, rows, found)
    close = apart <= 2
    scanned = WordScan(table).near(queries, reach)
    expected = (rows[close], found[close], apart[close])
    assert [part.tolist() for part in scanned] == [part.tolist() for part in expected]


SPELT = st.text("abzé𐐨", max_size=25)


@given(st.lists(SPELT, unique=True), st.lists(SPELT, unique=True), st.randoms())
def test_packed_words_are_the_list_and_the_dictionary_that_they_stand_for(
    words: list[str], others: list[str], random
):
    packed = PackedWords.of(words)
    assert list(packed) == words
    assert packed.order.tolist() == sorted(range(len(words)), key=words.__getitem__)
    more = [word for word in others if word not in words]
    order = random.sample(range(len(words) + len(more)), len(words) + len(more))
    for known in (packed, PackedWords.of(words)):
        # With the order of the first words known already, and with it found at the end.
        joined = known.with_more(more).taken(np.array(order, np.int64))
        expected = [(words + more)[row] for row in order]
        assert [joined[row] for row in range(len(joined))] == expected
        assert joined.order.tolist() == sorted(range(len(expected)), key=expected.__getitem__)
        rows = WordRows(joined)
        for again in range(2):
            for word in words + others:
                assert rows[word] == expected.index(word)
                assert word in rows
                assert rows.of([word, "xyz"]).tolist() == [expected.index(word), -1]
            assert rows.get("xyz") is None
            assert "xyz" not in rows
            assert dict(rows.unpacked if again else rows) == {w: r for r, w in enumerate(expected)}
        for many in (0, len(expected) // 2, len(expected)):
            assert rows.first(many) == {w: r for r, w in enumerate(expected[:many])}
        assert joined.at(np.arange(len(expected))[::-1]) == joined.unpacked[::-1] == expected[::-1]


def test_packed_words_have_no_bounds_to_their_letters():
    words = [chr(point) for point in range(0x20000, 0x20000 + 70_000)]
    packed = PackedWords.of(words[:40_000]).with_more(words[40_000:])
    assert packed[69_999] == words[-1]
    assert packed.unpacked == words
    assert packed.order.tolist() == list(range(70_000))
    with pytest.raises(IndexError):
        packed[70_000]
    with pytest.raises(IndexError):
        PackedWords.of(["a"])[1]


def test_unknown_letters_do_not_match_each_other():
    table = WordTable.of(["abcd"])
    typed = WordTable.of(["åbcd", "åœcd", "åœƒd"], table.alphabet)
    rows, found = DeletionIndex(table).lookup(typed)
    apart = distances(typed, table, rows, found)
    assert dict(zip(rows.tolist(), apart.tolist(), strict=True)) | {2: 3} == {0: 1, 1: 2, 2: 3}


def trie_of(words: list[str], value: np.ndarray) -> WordTrie:
    table = WordTable.of(words)
    return WordTrie(table, value, alphabetical(table))


@given(WORDS)
def test_the_trie_holds_each_word_and_its_best_continuation(words: list[str]):
    value = np.arange(len(words), dtype=float)
    trie = trie_of(words, value)
    codes = {letter: i for i, letter in enumerate(map(chr, trie.alphabet.tolist()), 1)}
    for place, word in enumerate(words):
        node = np.zeros(1, np.int64)
        for letter in word:
            assert trie.best[node[0]] >= value[place]
            node = trie.children(node, np.array([codes[letter]]))
        assert trie.word_at[node[0]] == place
        beginning = [v for w, v in zip(words, value, strict=True) if w.startswith(word)]
        assert trie.best[node[0]] == max(beginning)
    assert len(trie) == len({word[:n] for word in words for n in range(len(word) + 1)})


def test_the_search_finds_what_is_too_far_for_the_index():
    words = ["accommodation", "phonetic", "orange", "the"]
    prior = np.log([0.1, 0.1, 0.1, 0.7])
    search = TrieSearch(trie_of(words, prior), Damerau())
    queries, found = search.find(["acomodatoin", "orringe"])
    pairs = set(zip(queries.tolist(), found.tolist(), strict=True))
    assert (0, 0) in pairs
    assert (1, 2) in pairs


def test_a_narrow_search_finds_some_of_what_a_wide_one_does():
    words = ["accommodation", "academic", "acorn", "acoustic", "the"]
    prior = np.log([0.001, 0.3, 0.3, 0.3, 0.099])
    search = TrieSearch(trie_of(words, prior), Damerau())
    narrow, wide = (search.find(["acomodatoin"], beam)[1].tolist() for beam in (1, 64))
    assert words.index("accommodation") in wide
    assert words.index("accommodation") not in narrow
    assert set(narrow) <= set(wide)


ENGLISH = {name: resolve("channel", name).english() for name in names("channel")}


@given(st.data())
def test_a_word_alone_is_searched_for_as_among_others(data: st.DataObject):
    letters = st.text("abcdeéß", max_size=9)
    words = sorted(set(data.draw(st.lists(letters, min_size=1, max_size=60))))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    # No two values alike: of equal ones either may stay.
    prior = np.log(generator.dirichlet(np.ones(len(words))))
    channel = ENGLISH[data.draw(st.sampled_from(sorted(ENGLISH)))]
    search = TrieSearch(trie_of(words, prior), channel)
    beam = data.draw(st.integers(1, 12))
    for typed in data.draw(st.lists(st.text("abcdeéžx", max_size=8), min_size=1, max_size=4)):
        alone = search.find([typed], beam)[1]
        queries, among = search.find([typed, "abc"], beam)
        assert alone.tolist() == among[queries == 0].tolist()


def check_children(words: list[str]) -> None:
    table = WordTable.of(words)
    trie = WordTrie(table, np.zeros(len(words)), alphabetical(table))
    beginnings = {word[:n] for word in words for n in range(len(word) + 1)} | {""}
    node = {"": 0}
    for begin in sorted(beginnings - {""}, key=len):
        code = WordTable.of([begin[-1]], table.alphabet).codes
        node[begin] = int(trie.children(np.array([node[begin[:-1]]]), code)[0])
    assert sorted(node.values()) == list(range(len(trie)))
    everyone = np.repeat(np.arange(len(trie)), len(table.alphabet) + 1)
    letters = np.tile(np.arange(len(table.alphabet) + 1), len(trie))
    assert (trie.children(everyone, letters) >= 0).sum() == len(trie) - 1
    child, parent = trie.all_children(np.arange(len(trie)))
    assert child.tolist() == list(range(1, len(trie)))
    assert trie.children(parent, trie.letters[child]).tolist() == child.tolist()


@given(st.lists(st.text(st.sampled_from("abcdeé"), max_size=5), unique=True))
def test_children_of_a_trie(words: list[str]):
    check_children(words)


@pytest.mark.parametrize("counted", [True, False])
def test_children_of_a_trie_with_more_letters_than_bits(
    counted: bool, monkeypatch: pytest.MonkeyPatch
):
    if not counted:
        # As with NumPy 1.
        monkeypatch.delattr(np, "bitwise_count", raising=False)
    many = [chr(point) for point in range(97, 297)]
    check_children([*many, *(a + b for a in many[::9] for b in many[::7]), "abc", "abď", "zzz"])


@given(WORDS, st.integers(2, 5))
def test_an_index_does_not_depend_on_the_threads_that_sort_it(words: list[str], threads: int):
    table = WordTable.of(words)
    one, more = DeletionIndex(table), DeletionIndex(table, threads)
    for name in ("_hashes", "_rows", "_bucket_starts"):
        assert getattr(one, name).tolist() == getattr(more, name).tolist()


def test_fewer_rows_are_wanted_of_short_words():
    generator = np.random.default_rng(0)
    words = sorted({"".join(generator.choice(list("abcd"), 5)) for _ in range(600)})
    table = WordTable.of(words)
    index = DeletionIndex(table)
    most = generator.choice([0, 10, 200, 10_000], len(words))
    rows, found = index.lookup(table, most)
    whole, all_found = index.lookup(table)
    wanted = all_found < most[whole]
    assert rows.tolist() == whole[wanted].tolist()
    assert found.tolist() == all_found[wanted].tolist()


def test_who_asks_is_told_rare_words_too_where_nothing_likely_is_near():
    """The rarest words are not looked through for what is near; they are searched for."""
    source = train(["the window is open"] * 3, 2, "witten-bell")
    likely = dict.fromkeys(("window", "winds", "windy"), 1e6)
    counts = {"the": 5e9, **likely, "windom": 1.0, "zyxwvut": 1.0, "zyxwvuts": 1.0, "zyx": 1.0}
    lexicon = Lexicon.of(source, counts)
    rare = lexicon.rows.of(["windom", "zyxwvut"])
    assert (lexicon.log_prior[rare] < RAREST_ASKED).all()
    finder = CandidateFinder(lexicon, resolve("channel", "brill-moore").english(), slips=0.3)
    asked = finder.thorough_one()

    def suggested(word: str, finder: CandidateFinder = asked) -> set[str]:
        return {lexicon.words[row] for row in finder.find([word]).rows.tolist()}

    assert "zyxwvut" in suggested("zyxwvvt")
    # Three likely words are near, and a rare one.
    assert suggested("windaw") == {"window", "winds", "windy"}
    # One is near.
    assert suggested("windowm") == {"window", "windom"}
    # The trie is not searched for words that are known, nor for short ones.
    assert "windom" in suggested("windoms")
    assert suggested("zyxwvut") == {"zyxwvuts"} and suggested("zy") >= {"zyx"}
    # So are the user's own words, however rare.
    mine = Lexicon.of(source, counts, ["windom"])
    own = CandidateFinder(mine, finder.channel, slips=0.3).thorough_one()
    found = {mine.words[row] for row in own.find(["windaw"]).rows.tolist()}
    assert found == {"window", "winds", "windy", "windom"}
