"""``lmkit correct``: text in, corrected text out, and nothing else changed."""

from __future__ import annotations

import json
import stat

import pytest

from .support import refused

TEXT = (
    "my sister recieved a letter from her freind yesterday .\n"
    "the captain wrote to the village yesterday .\n"
    "teh old farmer went with a stranger .\n"
)
RIGHT = TEXT.replace("recieved", "received").replace("freind", "friend").replace("teh", "the")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


# What comes out


def test_words_are_corrected_in_their_context(run, channel_model, text):
    result = run("correct", channel_model, text)
    assert (result.status, result.out, result.err) == (0, RIGHT, "")


def test_a_real_word_that_does_not_belong_there(run, channel_model):
    line = b"my sister received a letter form her friend yesterday .\n"
    assert "letter from her" in run("correct", channel_model, stdin=line).out


def test_standard_input_and_a_plain_model(run, english_model):
    result = run("correct", english_model, stdin=TEXT.encode())
    assert (result.status, result.out) == (0, RIGHT)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_line_ends_and_marks_come_back(run, channel_model, end):
    given_ = f"\ufeffteh  captain{end}".encode()
    if end:
        given_ += f"{end}\tteh\xa0captain".encode()
    result = run("correct", channel_model, stdin=given_)
    assert result.out.encode() == given_.replace(b"teh", b"the")


def test_what_is_no_word_is_left_alone(run, channel_model):
    line = "TEH42 http://teh.example/recieved teh@freind.org @teh #teh teh_freind x=teh(freind)\n"
    assert run("correct", channel_model, stdin=line.encode()).out == line


def test_capitals_come_back(run, channel_model):
    result = run("correct", channel_model, stdin=b"Teh captain , FREIND of Recieved\n")
    assert result.out.split()[0] == "The"
    assert "FRIEND" in result.out or "FREIND" in result.out


def test_a_file_is_written_whole(run, channel_model, text, tmp_path):
    target = tmp_path / "out.txt"
    result = run("correct", channel_model, text, "--output", target)
    assert (result.status, result.out, target.read_text(encoding="utf-8")) == (0, "", RIGHT)


def test_a_file_is_corrected_in_place(run, channel_model, text):
    text.chmod(0o640)
    assert run("correct", channel_model, text, "--in-place").out == ""
    assert text.read_text(encoding="utf-8") == RIGHT
    assert stat.S_IMODE(text.stat().st_mode) == 0o640
    assert [path.name for path in text.parent.iterdir()] == ["text.txt"]


def test_a_link_is_followed_in_place(run, channel_model, text):
    link = text.parent / "link.txt"
    link.symlink_to("text.txt")
    assert run("correct", channel_model, link, "--in-place").out == ""
    assert link.is_symlink()
    assert text.read_text(encoding="utf-8") == RIGHT


def test_what_fails_in_the_middle_leaves_the_file(run, channel_model, text):
    text.write_bytes(TEXT.encode() + b"teh \xff\n")
    result = run("correct", channel_model, text, "--in-place")
    refused(result, "line 4", "not valid UTF-8", status=1)
    assert text.read_bytes() == TEXT.encode() + b"teh \xff\n"
    assert [path.name for path in text.parent.iterdir()] == ["text.txt"]


def test_what_would_be_changed_is_marked(run, channel_model, text):
    lines = run("correct", channel_model, text, "--flag-only").out.splitlines()
    assert lines[0].startswith("my sister [recieved->received] a letter")
    assert lines[1:] == [RIGHT.splitlines()[1], "[teh->the] " + RIGHT.splitlines()[2][4:]]


def test_the_difference_is_a_patch(run, channel_model, text):
    out = run("correct", channel_model, text, "--diff").out
    before, after = TEXT.splitlines(), RIGHT.splitlines()
    assert out.splitlines() == [
        f"--- {text}",
        f"+++ {text}",
        "@@ -1 +1 @@",
        f"-{before[0]}",
        f"+{after[0]}",
        "@@ -3 +3 @@",
        f"-{before[2]}",
        f"+{after[2]}",
    ]
    assert run("correct", channel_model, "--diff", stdin=b"the captain\n").out == ""


def test_lines_side_by_side_are_one_hunk_and_a_missing_line_end_is_said(run, channel_model):
    out = run("correct", channel_model, "--diff", stdin=b"teh\nteh\nteh").out.splitlines()
    assert out[2:7] == ["@@ -1,2 +1,2 @@", "-teh", "-teh", "+the", "+the"]
    mark = "\\ No newline at end of file"
    assert out[7:] == ["@@ -3 +3 @@", "-teh", mark, "+the", mark]


def test_a_terminal_has_colours(run, channel_model, text):
    plain = run("correct", channel_model, text, "--diff").out
    assert "\x1b[" not in plain
    coloured = run("correct", channel_model, text, "--diff", stdout_is_terminal=True).out
    assert "\x1b[32m" in coloured
    assert (
        "\x1b["
        not in run(
            "correct", channel_model, text, "--diff", stdout_is_terminal=True, no_color=True
        ).out
    )


# Rows


def test_json_has_every_change(run, channel_model, text):
    rows = json.loads(run("correct", channel_model, text, "--json").out)
    assert [row["corrected"] for row in rows] == RIGHT.splitlines()
    first, _ = rows[0]["changes"]
    assert (first["offset"], first["length"]) == (10, 8)
    assert (first["original"], first["replacement"]) == ("recieved", "received")
    assert 0 < first["posterior"] <= 1
    assert all(set(one) == {"text", "posterior"} for one in first["runners_up"])
    for row, line in zip(rows, TEXT.splitlines(), strict=True):
        assert row["text"] == line
        for change in row["changes"]:
            end = change["offset"] + change["length"]
            assert line[change["offset"] : end] == change["original"]
    assert rows[1]["changes"] == []


def test_json_lines_are_as_many_as_the_lines(run, channel_model, text):
    rows = [
        json.loads(row) for row in run("correct", channel_model, text, "--jsonl").out.splitlines()
    ]
    assert [row["line"] for row in rows] == [1, 2, 3]


def test_flagging_changes_no_text_in_rows_either(run, channel_model, text):
    rows = json.loads(run("correct", channel_model, text, "--json", "--flag-only").out)
    assert all(row["corrected"] == row["text"] for row in rows)
    assert rows[0]["changes"]


def test_separated_values_have_a_row_a_change(run, channel_model, text):
    head, *rows = run("correct", channel_model, text, "--tsv").out.splitlines()
    names = head.split("\t")
    assert names[:5] == ["line", "offset", "length", "original", "replacement"]
    assert [row.split("\t")[3] for row in rows] == ["recieved", "freind", "teh"]


def test_explanations_name_candidates_and_edits(run, channel_model, text):
    out = run("correct", channel_model, text, "--explain").out
    assert "line 1, character 11: recieved -> received" in out
    assert "log p(x|y)" in out
    rows = json.loads(run("correct", channel_model, text, "--explain", "--json").out)
    best, *_ = rows[0]["changes"][0]["candidates"]
    assert best["text"] == "received"
    assert best["log_channel"] < 0
    assert best["log_source"] < 0
    edits = best["edits"]
    assert "".join(edit["typed"] for edit in edits) == "recieved"
    assert "".join(edit["intended"] for edit in edits) == "received"


def test_a_threshold_is_a_posterior(run, channel_model):
    line = b"my sister received a letter form her friend yesterday .\n"
    (change,) = json.loads(run("correct", channel_model, "--jsonl", stdin=line).out)["changes"]
    for bound, made in ((change["posterior"] * 0.99, True), (1.0, change["posterior"] >= 1)):
        result = run("correct", channel_model, "--threshold", str(bound), stdin=line)
        assert ("from her" in result.out) == made


# Words of one's own


def test_a_dictionary_and_a_lexicon(run, channel_model, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("freind\n", encoding="utf-8")
    line = b"my sister went with her freind yesterday .\n"
    assert "friend" in run("correct", channel_model, stdin=line).out
    assert "freind" in run("correct", channel_model, "--dictionary", own, stdin=line).out
    # Words that must not be changed are not passed over silently.
    none = tmp_path / "none.txt"
    refused(run("correct", channel_model, "--dictionary", none, stdin=line), "no file", status=2)
    refused(run("suggest", channel_model, "teh", "--dictionary", none), "no file", status=2)
    words = tmp_path / "words.txt"
    words.write_text("harbour\t90\nboat 70\n", encoding="utf-8")
    line = b"the captain went with the harbuor .\n"
    assert "harbour" in run("correct", channel_model, "--lexicon", words, stdin=line).out


def test_interactive_answers(run, channel_model, tmp_path, monkeypatch):
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))
    path = tmp_path / "text.txt"
    path.write_text("teh farmer\nteh captain\nteh doctor\nteh freind\nrecieved\n", encoding="utf-8")
    answers = b"y\nn\n=this\n?\nd\n"
    result = run("correct", channel_model, path, "--interactive", stdin=answers + b"n\nq\n")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[:3] == ["the farmer", "teh captain", "this doctor"]
    # "?" is answered with help, and teh is known from then on.
    assert lines[3].startswith("teh ")
    assert "accept" in result.err
    own = tmp_path / "home" / "dictionary.txt"
    assert own.read_text(encoding="utf-8") == "teh\n"
    other = tmp_path / "other.txt"
    run("correct", channel_model, path, "--interactive", "--dictionary", other, stdin=b"d\nq\n")
    assert other.read_text(encoding="utf-8") == "teh\n"
    # The dictionary of one's own is there the next time.
    assert run("correct", channel_model, stdin=b"teh doctor\n").out == "teh doctor\n"


def test_interactive_end_of_answers_leaves_the_rest(run, channel_model, text):
    result = run("correct", channel_model, text, "--interactive", "--in-place", stdin=b"y\n")
    assert result.status == 0
    changed = text.read_text(encoding="utf-8")
    assert changed == TEXT.replace("recieved", "received")


# Evaluation and tuning


def test_evaluation(run, channel_model, text, tmp_path):
    right = tmp_path / "right.txt"
    right.write_text(RIGHT, encoding="utf-8")
    result = run("correct", channel_model, "--evaluate", text, right, "--json")
    found = json.loads(result.out)
    assert (
        list(found)
        == (
            "words errors_before errors_after fix_rate broken_rate precision recall f0_5 accuracy"
            " words_per_second"
        ).split()
    )
    words = len(RIGHT.split())
    assert (found["words"], found["errors_before"], found["errors_after"]) == (words, 3, 0)
    assert (found["fix_rate"], found["broken_rate"], found["accuracy"]) == (1, 0, 1)
    table = run("correct", channel_model, "--evaluate", text, right).out
    assert "100.00 %" in table
    clean = json.loads(run("correct", channel_model, "--evaluate", right, right, "--json").out)
    assert (clean["fix_rate"], clean["broken_rate"]) == (None, 0)


def test_evaluation_of_pairs(run, channel_model, spelling_pairs):
    result = run("correct", channel_model, "--evaluate-pairs", spelling_pairs, "--json")
    found = json.loads(result.out)
    assert list(found)[:4] == ["pairs", "top1", "top5", "mean_reciprocal_rank"]
    assert 0.5 < found["top1"] <= found["mean_reciprocal_rank"] <= found["top5"] <= 1


@pytest.mark.parametrize("frame, key", [("{}", "corrected"), (", {} ,", "corrected_in_sentence")])
def test_the_pairs_that_are_corrected_are_those_that_the_command_corrects(
    run, channel_model, tmp_path, frame, key
):
    """A word of the model is not taken for another one."""
    pairs = [("recieved", "received", 3), ("freind", "friend", 2), ("story", "letter", 4)]
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{x}\t{y}\t{n}\n" for x, y, n in pairs), encoding="utf-8")
    text = "".join(frame.replace("{}", typed) + "\n" for typed, _, _ in pairs)
    lines = run("correct", channel_model, stdin=text.encode()).out.splitlines()
    right = [line == frame.replace("{}", y) for line, (_, y, _) in zip(lines, pairs, strict=True)]
    assert right == [True, True, False]
    found = json.loads(run("correct", channel_model, "--evaluate-pairs", path, "--json").out)
    assert found["pairs"] == 9
    assert found[key] == pytest.approx(5 / 9)
    table = run("correct", channel_model, "--evaluate-pairs", path).out
    assert "corrected, alone on a line" in table and "55.56 %" in table
    assert "suggested: which word is meant, given that what was typed is wrong" in table
    header = run("correct", channel_model, "--evaluate-pairs", path, "--csv").out.splitlines()[0]
    assert header == ",".join(found)


def test_tuning_stores_weights_in_the_model(run, channel_model, text, tmp_path):
    right, model = tmp_path / "right.txt", tmp_path / "tuned.lm"
    right.write_text(RIGHT, encoding="utf-8")
    model.write_bytes(channel_model.read_bytes())
    result = run("correct", model, "--tune", text, right, "--json")
    assert result.status == 0, result.err
    weights = json.loads(result.out)
    assert weights
    assert run("correct", model, text).out == RIGHT
    assert [path.name for path in tmp_path.glob("*.lm*")] == ["tuned.lm"]


def test_words_without_spaces(run, channel_model):
    line = b"theoldfarmerwrotetohisbrotheryesterday\nthe captain\n"
    result = run("correct", channel_model, "--split-words", stdin=line)
    assert result.out == "the old farmer wrote to his brother yesterday\nthe captain\n"


# Wrong calls


@pytest.mark.parametrize(
    "words, said",
    [
        (["--output", "x", "--in-place"], "exclude each other"),
        (["--diff", "--explain"], "exclude each other"),
        (["--diff", "--json"], "exclude each other"),
        (["--json", "--tsv"], "exclude each other"),
        (["--in-place", "--flag-only"], "--in-place writes corrected text only"),
        (["--threshold", "2"], "--threshold"),
        (["--beam", "0"], "--beam"),
        (["--evaluate", "{text}", "{text}", "{text}"], "takes no TEXT"),
        (["--evaluate", "{text}", "{text}", "--diff"], "writes figures"),
        (["--evaluate", "{text}", "nothing.txt"], "there is no file nothing.txt"),
        (["--evaluate-pairs", "nothing.tsv"], "there is no file nothing.tsv"),
        (["{text}", "{text}"], "one file too many"),
        (["--tune", "{text}", "{text}", "--evaluate", "{text}", "{text}"], "exclude each other"),
    ],
)
def test_what_cannot_be_asked_together(run, channel_model, text, words, said):
    words = [word.replace("{text}", str(text)) for word in words]
    refused(run("correct", channel_model, *words, stdin=b"x\n"), said, status=2)


def test_what_is_missing(run, channel_model, text, tmp_path):
    refused(run("correct", "no.lm", text), "there is no file no.lm", status=2)
    refused(run("correct", text, channel_model), "comes after", status=2)
    refused(run("correct", channel_model, "no.txt"), "no.txt", status=1)
    refused(run("correct", channel_model, tmp_path), "is a directory", status=1)
    refused(run("correct", channel_model, text, "--lexicon", "no.txt"), "no.txt", status=1)
    refused(run("correct", channel_model, "--in-place", stdin=b"x\n"), "needs TEXT", status=2)
    refused(run("correct", channel_model, "--interactive", stdin=b"y\n"), "needs TEXT", status=2)
    refused(run("correct", channel_model, stdin_is_terminal=True), "is a terminal", status=2)


def test_models_that_cannot_correct(run, small_text, tmp_path, english_model, text):
    letters = tmp_path / "letters.lm"
    train = ("train", small_text, "--order", "2", "--tokenizer", "char", "--output", letters)
    assert run(*train).status == 0
    refused(run("correct", letters, stdin=b"x\n"), "character", status=1)
    tuned = run("correct", english_model, "--tune", text, text)
    refused(tuned, "not a noisy channel", status=2)
    damaged = tmp_path / "damaged.lm"
    damaged.write_bytes(english_model.read_bytes()[:5000])
    refused(run("correct", damaged, stdin=b"x\n"), str(damaged), status=1)


def test_texts_of_unequal_lengths(run, channel_model, text, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text(RIGHT.splitlines()[0] + "\n", encoding="utf-8")
    result = run("correct", channel_model, "--evaluate", text, short)
    refused(result, "not have the same number of lines", status=1)


def test_without_anything_to_correct_by(run, tmp_path, monkeypatch):
    monkeypatch.setattr("lmkit.english._wordfreq_version", lambda: None)
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path))
    result = run("correct", stdin=b"teh\n")
    refused(result, "no English to correct by", "lmkit[wordfreq]", "lmkit data get big", status=1)


def test_the_english_model_is_made_once(run, tmp_path, monkeypatch, english_text):
    monkeypatch.setattr("lmkit.english._wordfreq_version", lambda: None)
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path))
    corpus = tmp_path / "data" / "brown" / "all.txt"
    corpus.parent.mkdir(parents=True)
    corpus.write_bytes(english_text.read_bytes())
    first = run("correct", stdin=b"my sister recieved a letter from her freind .\n")
    assert first.status == 0, first.err
    assert first.out == "my sister received a letter from her friend .\n"
    assert "made " in first.err
    assert "for a better one" in first.err
    assert run("correct", stdin=b"teh captain\n").err == ""
    (model,) = (tmp_path / "models").iterdir()
    assert model.suffix == ".lm"


def test_the_english_model_of_word_frequencies(run, tmp_path, monkeypatch):
    frequencies = {"sister": 900, "letter": 800, "friend": 700, "the": 90_000, "friend's": 3}
    monkeypatch.setattr("lmkit.english._wordfreq_version", lambda: "0")
    monkeypatch.setattr("lmkit.english._frequencies", lambda: iter(frequencies.items()))
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path))
    for _ in range(2):
        result = run("correct", stdin=b"teh sistr of the freind\n")
        assert result.out == "the sister of the friend\n", result.err
    (model,) = (tmp_path / "models").iterdir()
    facts = json.loads(run("info", model, "--json").out)
    assert facts["backend"] == "noisy-channel"
    assert facts["lexicon"]["listed"] == len(frequencies)
    monkeypatch.setattr("lmkit.english._wordfreq_version", lambda: "1")
    assert "made " in run("correct", stdin=b"teh\n").err
    assert [path.name for path in (tmp_path / "models").iterdir()] != [model.name]
