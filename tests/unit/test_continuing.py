"""Continuations against a walk through the model token by token, as the definition has it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit import Sampling, TextSettings
from lmkit.errors import UnsupportedError
from lmkit.integrations.continuing import Continuing
from lmkit.model import UNK, LanguageModel
from lmkit.text.tokenizers.making import make_tokenizer

from ..learnt_pairs import register

LINES = ["the cat sat on the mat.", "the dog, too, sat!", "a dog sat on the cat", "café au lait"]
PAIRS = [
    ("the cat", " sat on"),
    ("the cat ", "sat on"),
    ("the ca", "t sat"),
    ("", "the dog"),
    ("the dog sat\nthe cat", " sat\na dog"),
    ("the dog\n", "a dog sat"),
    ("a dog", "\n"),
    ("the zebr", "a sat"),
    ("the  ", " x"),
    ("caf", "é"),
    ("the cat", ""),
    ("", ""),
]


@pytest.fixture(scope="module", autouse=True)
def pairs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


def trained(
    tokenizer: str, backend: str = "ngram", order: int = 3, **settings: Any
) -> LanguageModel:
    options: dict[str, Any] = {"order": order}
    if backend != "ngram":
        options = {"epochs": 1, "seed": 1, "hidden": 8, "embedding": 8}
    text = "".join(f"{line}\n" for line in LINES * 4 + ["rare", "words"]).encode()
    if tokenizer in ("bpe", "unigram"):
        settings["tokenizer"] = make_tokenizer(tokenizer, vocabulary_size=280)
    else:
        settings["tokenizer"] = tokenizer
    return lmkit.train(
        io.BytesIO(text), backend=backend, settings=TextSettings(**settings), **options
    )


def walked(model: LanguageModel, text: str, carry: bool = False) -> tuple[list[int], list[float]]:
    """The tokens of ``text`` and log p of each, from the distribution before it."""
    state, found = model.start(1), []
    ids = model.encoder.encode_prompt(text)
    lines = text.split("\n")
    spelt = iter([] if (unknown := model.batch(lines).unknown) is None else unknown.types)
    for token in ids:
        cost = 0.0
        if token == UNK:
            costs = model.encoder.spelling_log_probs(model.batch(lines).unknown.spellings)
            cost = float(costs[next(spelt)])
        found.append(float(model.next_log_probs(state)[0, token]) + cost)
        state = (model.advance_through if carry else model.advance)(state, [token])
    return ids.tolist(), found


@pytest.mark.parametrize(
    "tokenizer", ["whitespace", "word", "char", "byte", "pairs", "bpe", "unigram"]
)
def test_a_continuation_is_both_together_over_the_context_alone(tokenizer: str) -> None:
    model = trained(tokenizer)
    found = Continuing(model).continuations(PAIRS)
    for (context, continuation), (log_prob, _) in zip(PAIRS, found, strict=True):
        before = context.rstrip(" ") if tokenizer in ("pairs", "bpe", "unigram") else context
        expected = sum(walked(model, context + continuation)[1]) - sum(walked(model, before)[1])
        assert log_prob == pytest.approx(expected, abs=1e-9), (context, continuation)


def test_what_follows_a_whole_token_is_its_own_tokens_alone() -> None:
    model = trained("word")
    [(log_prob, _)] = Continuing(model).continuations([("the cat", " sat on the")])
    assert log_prob == pytest.approx(sum(walked(model, "the cat sat on the")[1][2:]))


def test_a_space_at_the_end_of_a_context_is_its_own_for_characters_only() -> None:
    characters, pairs = Continuing(trained("char")), Continuing(trained("pairs"))
    texts = [("the cat", " sat"), ("the cat ", "sat")]
    [(with_space, _), (without, _)] = characters.continuations(texts)
    assert without > with_space + 0.01
    [(with_space, _), (without, _)] = pairs.continuations(texts)
    assert without == pytest.approx(with_space)


def test_greedy_is_what_the_model_would_write() -> None:
    for tokenizer in ("word", "char", "pairs"):
        model = trained(tokenizer)
        continuing = Continuing(model)
        [text] = continuing.written(["the dog"], max_tokens=4)
        asked = [("the dog", text), ("the dog", text + "t"), ("the dog", " zzz"), ("the dog", "")]
        greedy = [found for _, found in continuing.continuations(asked)]
        assert greedy == [True, False, False, True]
        assert not any(found for _, found in continuing.continuations(asked, greedy=False))


def test_greedy_of_many_is_that_of_each() -> None:
    continuing = Continuing(trained("char"))
    asked = [(text[:cut], text[cut:]) for text in LINES for cut in range(len(text))]
    together = continuing.continuations(asked)
    alone = [continuing.continuations([pair])[0] for pair in asked]
    assert [greedy for _, greedy in together] == [greedy for _, greedy in alone]
    assert np.allclose([value for value, _ in together], [value for value, _ in alone], atol=1e-12)
    assert {greedy for _, greedy in together} == {True, False}


def test_unknown_words_pay_for_their_letters_or_not() -> None:
    model = trained("word")
    texts = [("the", " zzzzzzzz"), ("the", " q")]
    [(long, _), (short, _)] = Continuing(model).continuations(texts)
    assert long < short - 1
    [(long, _), (short, _)] = Continuing(model, spelling=False).continuations(texts)
    assert long == short == pytest.approx(float(model.score("the q")[0][1]))
    # Both are <unk>, but the context is another word.
    [(over, _)] = Continuing(model).continuations([("the zzz", "zzzzz")])
    assert over == pytest.approx(
        Continuing(model).texts(["the zzzzzzzz"])[0] - Continuing(model).texts(["the zzz"])[0]
    )


def test_an_impossible_context_leaves_both_together() -> None:
    # "ca" is no word here, and unknown words are impossible: p(the cat) / p(the ca) has no value.
    text = "".join(f"{line}\n" for line in LINES).encode()
    model = lmkit.train(io.BytesIO(text), order=2, smoothing="maximum-likelihood")
    found = Continuing(model).continuations([("the ca", "t sat"), ("the ca", "r"), ("xx", "yy")])
    _, log_probs = walked(model, "the cat sat")
    assert found[0][0] == pytest.approx(sum(log_probs[1:]))
    assert [value for value, _ in found[1:]] == [-np.inf, -np.inf]


def test_networks_carry_their_state_over_line_ends_unless_told_not_to() -> None:
    model = trained("word", "lstm")
    pair = ("the dog sat\nthe cat", " sat")
    [(carried, _)] = Continuing(model).continuations([pair])
    _, values = walked(model, "".join(pair), carry=True)
    assert carried == pytest.approx(values[-1], abs=1e-5)
    [(fresh, _)] = Continuing(model, carry=False).continuations([pair])
    assert fresh == pytest.approx(walked(model, "the cat sat")[1][-1], abs=1e-5)
    assert carried != pytest.approx(fresh, abs=1e-6)
    texts = ["the cat sat", "a dog\nsat\n", "the dog"]
    together = Continuing(model).written(texts, max_tokens=5)
    assert together == [Continuing(model).written([text], max_tokens=5)[0] for text in texts]


def test_a_whole_text_is_what_perplexity_has_of_it() -> None:
    for tokenizer, settings in (("word", {}), ("char", {}), ("word", {"skip_empty_lines": True})):
        model = trained(tokenizer, **settings)
        text = "the cat sat\n\nthe zebra!\n"
        measured = model.perplexity(text)
        expected = measured.log_probability + measured.log_probability_of_spellings
        assert Continuing(model).texts([text, ""]) == [pytest.approx(expected), 0.0]


def test_without_a_final_line_end_the_text_does_not_end() -> None:
    model = trained("word")
    [open_end, ended] = Continuing(model).texts(["the cat", "the cat\n"])
    assert ended - open_end == pytest.approx(float(model.score("the cat")[0][-1]))


def test_writing_stops_at_the_first_stop_and_leaves_it_out() -> None:
    continuing = Continuing(trained("char", order=7))
    context = ["the dog, too"]
    [whole] = continuing.written(context, max_tokens=40)
    assert len(whole) == 40 and whole.startswith(", sat!\n")
    assert continuing.written(context, max_tokens=40, until=["\n"]) == [", sat!"]
    assert continuing.written(context, max_tokens=40, until=["\n", "at", ""]) == [", s"]
    assert continuing.written(context, max_tokens=5, until=["\n"]) == [", sat"]
    assert continuing.written(context, max_tokens=0) == [""]
    assert continuing.written([], max_tokens=9) == []


def test_writing_many_is_writing_each_and_as_the_model_generates() -> None:
    for tokenizer in ("word", "char", "byte"):
        model = trained(tokenizer)
        contexts = ["the cat", "a", "", "the dog, too", "café\nthe", "the cat "]
        together = Continuing(model).written(contexts, max_tokens=8)
        assert together == [Continuing(model).written([c], max_tokens=8)[0] for c in contexts]
        greedy = Sampling(greedy=True)
        [told] = model.generate(prompt="a", max_tokens=8, sampling=greedy, lines=None)
        assert ("a" + together[1]).rstrip("\n") == told.text.rstrip("\n")


@pytest.mark.parametrize("tokenizer", ["bpe", "unigram"])
def test_a_space_at_the_end_of_a_prompt_is_that_of_the_next_subword(tokenizer: str) -> None:
    continuing = Continuing(trained(tokenizer))
    for sampling in (None, Sampling(top_k=1)):
        [bare, spaced] = continuing.written(
            ["the cat", "the cat "], max_tokens=4, sampling=sampling
        )
        if tokenizer == "bpe":
            assert bare == f" {spaced}" == " sat on the cat"
        else:  # this one would end the line there
            assert bare.startswith("\n") and spaced.startswith("sat")
    [spaced] = continuing.written(["the dog, too "], max_tokens=2)  # after which comes a comma
    assert spaced[0].isalpha()


def test_drawing_follows_its_generator() -> None:
    continuing = Continuing(trained("char"))

    def drawn(seed: int) -> list[str]:
        return continuing.written(
            ["the "] * 3,
            max_tokens=12,
            sampling=Sampling(temperature=1.5),
            generator=np.random.default_rng(seed),
        )

    assert drawn(1) == drawn(1) != drawn(2)


def test_models_without_probabilities_are_refused() -> None:
    text = io.BytesIO(b"a b c\n" * 9)
    stupid = lmkit.train(text, order=2, smoothing="stupid-backoff")
    with pytest.raises(UnsupportedError, match="not probabilities"):
        Continuing(stupid)


def test_a_literal_end_mark_is_what_it_is_said_to_be() -> None:
    model = trained("word")
    [(log_prob, _)] = Continuing(model, special_tokens="unknown").continuations([("the", " </s>")])
    assert np.isfinite(log_prob)
