"""Bits per character and byte have one denominator for all models of a call, and ``lmkit
perplexity`` and ``lmkit compare`` put models into the same order."""

from __future__ import annotations

import gzip
import itertools
import json
import math
from pathlib import Path

import pytest

import lmkit
from lmkit.text.settings import TextSettings

PROSE = [
    "The wind is cold, and the boats don't go out.",
    "In the morning (it was late) the men went home; nobody said a word!",
    "\u201cWhat is it?\u201d asked the captain. The house, too, was cold.",
    "A boat goes out in the wind. The men said: the morning is cold.",
    "The na\u00efve captain\u2019s house is in the caf\u00e9, isn't it?",
]
NETWORK = {"hidden": 12, "epochs": 2, "bptt": 8, "workers": 1, "seed": 1}
SETTINGS = {
    "word": TextSettings("word"),
    "char": TextSettings("char"),
    "byte": TextSettings("byte"),
    "whitespace": TextSettings("whitespace"),
    "lower": TextSettings("word", lowercase=True),
    "lower-char": TextSettings("char", lowercase=True),
    "lstm-char": TextSettings("char"),
    "spaced-char": TextSettings("char", pre_tokenizer="word"),
    "spaced-byte": TextSettings("byte", normalize="nfc", pre_tokenizer="word"),
    "spaced-lstm": TextSettings("char", pre_tokenizer="word"),
    "spaced-words": TextSettings("whitespace", normalize="nfc", pre_tokenizer="word"),
    "spaced-lower": TextSettings("char", lowercase=True, pre_tokenizer="word"),
    "skipping": TextSettings("word", skip_empty_lines=True),
    "sentences": TextSettings("word", segment="sentence"),
}


def lines_of(number):
    """So many lines, each one of `PROSE` with its words moved round."""
    found = []
    for place in range(number):
        words = PROSE[place % len(PROSE)].split()
        shift = place * 7 % len(words)
        found.append(" ".join(words[shift:] + words[:shift]))
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models of one text, by name."""
    folder = tmp_path_factory.mktemp("models")
    text = folder / "train.txt"
    text.write_text("".join(f"{line}\n" for line in lines_of(60)), encoding="utf-8")
    paths = {}
    for name, settings in SETTINGS.items():
        paths[name] = folder / f"{name}.lm"
        backend, options = ("lstm", NETWORK) if "lstm" in name else ("ngram", {"order": 3})
        lmkit.train(text, backend=backend, settings=settings, output=paths[name], **options)
    paths["mixture"] = folder / "mixture.lm"
    paths["unigrams"] = folder / "unigrams.lm"
    lmkit.train(text, settings=TextSettings("word"), output=paths["unigrams"], order=1)
    held_out = write(folder / "valid.txt", lines_of(90)[60:])
    lmkit.mix([paths["word"], paths["unigrams"]], valid=held_out, output=paths["mixture"])
    return paths


@pytest.fixture
def figures(run):
    """``figures(models, text, *options)``: rows by the name of the model, and what was said."""

    def measure(paths, text, *options, command="perplexity", **settings):
        result = run(command, *paths, text, *options, "--json", **settings)
        assert result.status == 0, result.err
        return {Path(row["model"]).stem: row for row in json.loads(result.out)}, result.err

    return measure


@pytest.fixture
def compared(run, tmp_path):
    def compare(paths, text, *options):
        words = [word for path in paths for word in ("--model", path)]
        result = run("compare", "--test", text, *words, *options, "--output", tmp_path / "o",
                     "--json")  # fmt: skip
        assert result.status == 0, result.err
        rows = json.loads(result.out)
        assert [row["reason"] for row in rows] == [None] * len(paths)
        return {row["name"]: row for row in rows}

    return compare


def write(path, lines, end="\n"):
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


GROUPS = {
    "word": ["word", "char", "byte", "whitespace", "lstm-char", "mixture"],
    "word --lowercase": ["lower", "lower-char"],
    "whitespace": ["whitespace", "char", "byte", "lstm-char"],
}
"""Models that can be compared, by the comparison's tokenizer."""


def text_for(group, models):
    """Lines that are the reference text of a comparison already: tokens with single spaces."""
    tokenize = lmkit.load(models[GROUPS[group][0]]).encoder.tokenizer.tokenize
    lines = [" ".join(tokenize(line)) for line in [*PROSE, "", "A strange zeppelin goes!"]]
    return [line.lower() for line in lines] if "--lowercase" in group else lines


@pytest.mark.parametrize("group", GROUPS)
def test_both_commands_give_the_same_bits_of_a_text_that_all_models_read(
    models, figures, compared, tmp_path, group
):
    """Any two models are then not only in the same order, but as far apart."""
    lines = text_for(group, models)
    text = write(tmp_path / "reference.txt", lines)
    names, paths = GROUPS[group], [models[name] for name in GROUPS[group]]
    found, said = figures(paths, text)
    other = compared(paths, text, "--tokenizer", *group.split())
    assert said == ""
    for name in names:
        for key in ("characters", "bytes"):
            assert found[name][key] == other[name][key]
        for key in ("bits_per_character", "bits_per_byte"):
            assert found[name][key] == pytest.approx(other[name][key], rel=1e-6)
    assert found[names[0]]["characters"] == sum(map(len, lines)) + len(lines)
    assert found[names[0]]["bytes"] == text.stat().st_size


PROSE_GROUPS = {
    "word": ["word", "spaced-char", "spaced-byte", "spaced-lstm", "spaced-words", "mixture"],
    "word --lowercase": ["lower", "spaced-lower"],
    "whitespace": ["whitespace", "char", "byte", "lstm-char"],
}


@pytest.mark.parametrize("group", PROSE_GROUPS)
@pytest.mark.parametrize("shift", range(3))
def test_both_commands_put_any_two_models_into_the_same_order(
    models, figures, compared, tmp_path, shift, group
):
    """Of prose as people write it, with spaces and marks of any kind: the length is the text's in
    one command and the tokens' in the other, but the bits are the same."""
    lines = [*lines_of(20 + 7 * shift)[shift:], "", "  Two  spaces,\ta tab.  "]
    if group == "whitespace":
        del lines[-1]
    text = write(tmp_path / "prose.txt", lines)
    names = PROSE_GROUPS[group]
    found, said = figures([models[name] for name in names], text)
    other = compared([models[name] for name in names], text, "--tokenizer", *group.split())
    (here,) = {row["characters"] for row in found.values()}
    (there,) = {row["characters"] for row in other.values()}
    assert here == sum(map(len, lines)) + len(lines)
    assert (here == there) == (group == "whitespace")
    for name in names:
        bits = found[name]["bits_per_character"] * here
        assert bits == pytest.approx(other[name]["bits_per_character"] * there, rel=1e-6), name
    for one, two in itertools.combinations(names, 2):
        for key in ("bits_per_character", "bits_per_byte"):
            in_text = found[one][key] - found[two][key]
            in_tokens = other[one][key] - other[two][key]
            assert math.isclose(in_text, in_tokens, abs_tol=1e-6) or in_text * in_tokens > 0
    assert ("white space" in said) == (group != "whitespace")


@pytest.mark.parametrize("name", ["char", "byte", "whitespace", "lstm-char"])
def test_a_model_that_would_read_another_text_is_not_compared(run, models, tmp_path, name):
    """Its figures there would not be those of `lmkit perplexity`."""
    written = write(tmp_path / "written.txt", ["The boat, cold."])
    spaced = write(tmp_path / "spaced.txt", ["The boat , cold ."])
    words = ["--model", models["word"], "--model", models[name], "--output", tmp_path / "o"]
    result = run("compare", "--test", written, *words, "--json")
    assert [row["status"] for row in json.loads(result.out)] == ["ok", "failed"]
    reason = json.loads(result.out)[1]["reason"]
    tokenizer = SETTINGS[name].tokenizer
    assert "it reads the test text as other text than the comparison does" in reason
    hint = reason.partition("Try: ")[2]
    assert f"lmkit train TEXT --tokenizer {tokenizer} --pre-tokenizer word" in hint
    # What the hint says helps.
    text = write(tmp_path / "train.txt", lines_of(20))
    trained = [word.replace("TEXT", str(text)) for word in hint.split()[1:-1]]
    assert run(*trained, tmp_path / "again.lm", "--order", "2").status == 0
    words[3] = tmp_path / "again.lm"
    result = run("compare", "--test", written, *words, "--json")
    assert [row["status"] for row in json.loads(result.out)] == ["ok", "ok"]
    words[3] = models[name]
    result = run("compare", "--test", spaced, *words, "--json")
    assert [row["status"] for row in json.loads(result.out)] == ["ok", "ok"]


def test_a_comparison_has_no_pre_tokenizer_of_its_own(run, models, tmp_path):
    text = write(tmp_path / "text.txt", ["The boat, cold."])
    words = ["--test", text, "--model", models["word"], "--output", tmp_path / "o"]
    result = run("compare", *words, "--tokenizer", "whitespace", "--pre-tokenizer", "word")
    assert (result.status, result.out) == (2, "")
    assert "Try: --tokenizer word, without --pre-tokenizer." in result.err


def test_words_of_another_kind_have_no_hint_that_would_not_help(run, models, tmp_path):
    text = write(tmp_path / "text.txt", ["The boat, cold."])
    result = run("compare", "--test", text, "--tokenizer", "whitespace", "--model", models["word"],
                 "--model", models["whitespace"], "--output", tmp_path / "o", "--json")  # fmt: skip
    reason = json.loads(result.out)[1]["reason"]
    assert "tokenizer word, not whitespace" in reason
    assert "or a comparison with the model's" in reason


@pytest.mark.parametrize("tokenizer", ["char", "byte", "whitespace"])
def test_a_model_that_a_comparison_made_has_its_figures_everywhere(
    run, figures, tmp_path, tokenizer
):
    train, test = (write(tmp_path / f"{n}.txt", lines_of(n)) for n in (40, 12))
    kinds = ["ngram:order=2", f"ngram:order=2,tokenizer={tokenizer}"]
    words = [word for kind in kinds for word in ("--model", kind)]
    result = run("compare", "--train", train, "--test", test, *words, "--output", tmp_path / "o",
                 "--json")  # fmt: skip
    rows = json.loads(result.out)
    found, _ = figures([row["file"] for row in rows], test)
    for row in rows:
        here = found[Path(row["file"]).stem]
        bits = here["bits_per_character"] * here["characters"]
        assert bits == pytest.approx(row["bits_per_character"] * row["characters"])


def test_both_commands_agree_on_the_models_of_the_readme(run, figures, tmp_path):
    """Words of order 5 and characters of order 8: they were in opposite orders, 1.4654 and 1.5081
    in one command, 1.4654 and 1.4502 in the other."""
    from lmkit.datasets import dataset_path

    train, test = (dataset_path("builtin", split) for split in ("train", "test"))
    words = ["--model", "ngram:order=5", "--model", "ngram:order=8,tokenizer=char"]
    result = run("compare", "--train", train, "--test", test, *words, "--output", tmp_path / "o",
                 "--json")  # fmt: skip
    rows = json.loads(result.out)
    assert ["char" in row["spec"] for row in rows] == [True, False]
    found, _ = figures([row["file"] for row in rows], test)
    best, other = (found[Path(row["file"]).stem]["bits_per_character"] for row in rows)
    assert best < other


def test_the_denominators_alone_do_not_turn_an_order_round(models, figures, compared, tmp_path):
    """The reason of old: the words' bits were divided by the length of the tokens with spaces
    between them, the characters' by that of the text. Here that is 14 of 18."""
    text = write(tmp_path / "text.txt", ["a, b, c, d, e"] * 3)
    found, _ = figures([models["word"], models["char"]], text)
    model = lmkit.load(models["word"])
    own = model.measure(model.batch(["a, b, c, d, e"] * 3))
    assert (own.characters, found["word"]["characters"]) == (3 * 18, 3 * 14)
    assert found["word"]["bits_per_character"] == pytest.approx(own.bits_per_character * 18 / 14)


def test_the_length_is_that_of_the_text_and_the_bits_are_the_models(models, figures, tmp_path):
    """By hand: the bits of a model are those of its tokens; the length is the file's."""
    text = write(tmp_path / "text.txt", ["The caf\u00e9, cold.", "", "A  boat"])
    names = list(SETTINGS)
    found, _ = figures([models[name] for name in names], text)
    for name, row in found.items():
        # 15, 0 and 7 code points, an e acute of two bytes, and three line ends.
        assert (row["characters"], row["bytes"]) == (25, 26), name
        model = lmkit.load(models[name])
        bits = row["bits_per_character"] * 25
        assert row["bits_per_byte"] * 26 == pytest.approx(bits)
        same = model.perplexity(text)
        assert (same.characters, same.bytes) == (25, 26)
        if "lstm" not in name:  # which the command lets go on from line to line
            assert same.bits_per_character * 25 == pytest.approx(bits)


DATA = b"The boat is cold, men.\nIt was late.\n"
SAME_TEXT = {
    "lf": DATA,
    "crlf": DATA.replace(b"\n", b"\r\n"),
    "cr": DATA.replace(b"\n", b"\r"),
    "no last line end": DATA[:-1],
    "byte order mark": b"\xef\xbb\xbf" + DATA,
    "gzip": gzip.compress(DATA),
}


@pytest.mark.parametrize("how", SAME_TEXT)
@pytest.mark.parametrize("stdin", [False, True])
def test_one_text_has_one_length_however_it_is_stored(models, figures, tmp_path, how, stdin):
    paths = [models["word"], models["char"]]
    if stdin:
        found, _ = figures(paths, "-", stdin=SAME_TEXT[how])
    else:
        path = tmp_path / "text"
        path.write_bytes(SAME_TEXT[how])
        found, _ = figures(paths, path)
    for row in found.values():
        assert (row["characters"], row["bytes"]) == (len(DATA), len(DATA))
        assert row["bits_per_character"] == row["bits_per_byte"]


def test_what_was_no_utf_8_counts_as_what_is_read_in_its_place(models, figures):
    found, said = figures(
        [models["char"], models["word"]], "-", "--errors", "replace", stdin=b"a\xff\xffb\n"
    )
    assert {(row["characters"], row["bytes"]) for row in found.values()} == {(5, 9)}
    assert "2 invalid UTF-8 sequences" in said


@pytest.mark.parametrize("options", [[], ["--skip-empty-lines"], ["--keep-empty-lines"]])
def test_models_with_settings_of_their_own_share_the_length(models, figures, tmp_path, options):
    text = write(tmp_path / "text.txt", ["The boat is cold .", "", " \t", "It was late ."])
    names = ["word", "skipping", "sentences", "char"]
    found, said = figures([models[name] for name in names], text, *options)
    assert {row["characters"] for row in found.values()} == {19 + 1 + 3 + 14}
    skips = options != ["--keep-empty-lines"]
    assert ("2 empty lines" in said) == skips
    assert "sentences.lm does not read all of the text (ends of lines, white space)" in said


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_no_text_has_no_length_and_no_bits(models, figures, data):
    found, said = figures([models["word"], models["byte"]], "-", stdin=data)
    for row in found.values():
        assert (row["characters"], row["bytes"]) == (0, 0)
        assert row["bits_per_character"] is row["bits_per_byte"] is None
    assert said == ""


def test_empty_lines_alone_have_the_length_of_their_ends(models, figures):
    found, said = figures([models["word"], models["skipping"]], "-", stdin=b"\n\n\n")
    assert {row["characters"] for row in found.values()} == {3}
    assert found["skipping"]["tokens"] == 0
    assert found["skipping"]["bits_per_character"] == 0
    assert "skipping.lm does not read all of the text (3 empty lines)" in said


@pytest.mark.parametrize(
    "name, line, said",
    [
        ("word", "The boat , cold", None),
        ("word", "The boat, cold", "white space"),
        ("word", "The  boat , cold", "white space"),
        # As many words as pieces, and as long: only where they stand tells them apart.
        ("word", "He said.  She", "white space"),
        ("word", " The boat", "white space"),
        ("word", "The boat ", "white space"),
        ("word", "The\tboat", "white space"),
        ("word", "a \u00a0 b c,", "white space"),
        ("whitespace", "The boat, cold", None),
        ("whitespace", "The\u00a0boat, cold", None),
        ("whitespace", "The  boat", "white space"),
        ("char", "The  boat\t, e\u0301", "letters in other forms than NFC"),
        ("byte", "The  boat\t, e\u0301", None),
        ("lower", "the boat", None),
        ("lower", "The boat", "capital letters"),
        ("lower", "\u0130 boat", "capital letters"),
        ("char", "\u00e9 \u1100\u1161", "letters in other forms than NFC"),
        ("char", "\u00e9 \u0915\u093f \u304b\u3099", "letters in other forms than NFC"),
        ("char", "\u00e9 \u0915\u093f \u304c \uac00", None),
        ("skipping", "a\n\nb", "1 empty line"),
        ("sentences", "a b", "ends of lines"),
    ],
)
def test_what_a_model_does_not_read_is_said(models, figures, name, line, said):
    _, err = figures([models[name]], "-", stdin=line.encode() + b"\n")
    expected = f"{models[name]} does not read all of the text ({said}): its bits per character and"
    assert err == ("" if said is None else f"{expected} byte leave that out\n")


def test_quiet_says_nothing_of_it(run, models):
    result = run("perplexity", models["word"], "--quiet", stdin=b"a, b\n")
    assert (result.status, result.err) == (0, "")


def test_the_database_and_the_rows_have_bytes_too(run, models, tmp_path):
    import sqlite3

    text = write(tmp_path / "text.txt", ["The caf\u00e9 is cold .", "It was late ."])
    result = run("compare", "--test", text, "--model", models["word"], "--json",
                 "--output", tmp_path / "o")  # fmt: skip
    (row,) = json.loads(result.out)
    assert (row["characters"], row["bytes"]) == (33, 34)
    assert row["bits_per_byte"] * 34 == pytest.approx(row["bits_per_character"] * 33)
    with sqlite3.connect(tmp_path / "o" / "results.db") as database:
        (stored,) = database.execute("select bytes, bits_per_byte from models")
        assert stored == (34, row["bits_per_byte"])
        assert database.execute("select characters, bytes from runs").fetchone() == (33, 34)
