"""``/score``, ``/next``, ``/generate``, ``/correct`` and what says what they are."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from lmkit.measures import LN10
from lmkit.serving.limits import Limits


class TestScore:
    def test_it_is_what_the_model_scores(self, served, model):
        lines = ["the cat sat", "", "a zebra sat"]
        found = served(model).told("/score", {"text": lines})["lines"]
        for line, one in zip(lines, found, strict=True):
            log_probs, _ = model.score(line)
            assert one["tokens"] == len(log_probs)
            assert one["log10_probability"] == pytest.approx(log_probs.sum() / LN10)
            assert one["perplexity"] == pytest.approx(math.exp(-log_probs.mean()))
        assert [one["oovs"] for one in found] == [0, 0, 1]

    def test_one_text_is_one_line(self, served, model):
        found = served(model).told("/score", {"text": "the cat\nsat"})["lines"]
        assert [one["tokens"] for one in found] == [4]

    def test_the_tokens_of_a_line_sum_to_it(self, served, model):
        body = {"text": "the zebra sat", "per_token": True}
        (line,) = served(model).told("/score", body)["lines"]
        tokens = line["per_token"]
        assert [one["token"] for one in tokens] == ["the", "zebra", "sat", "</s>"]
        assert [one["oov"] for one in tokens] == [False, True, False, False]
        assert sum(one["log10_probability"] for one in tokens) == pytest.approx(
            line["log10_probability"]
        )

    def test_no_lines_have_no_scores(self, served, model):
        assert served(model).told("/score", {"text": []}) == {"lines": []}

    def test_a_large_request_is_scored_in_steps_to_the_same_figures(self, served, model):
        lines = ["the cat sat on the mat", "a dog"] * 1500
        found = served(model).told("/score", {"text": lines})["lines"]
        assert len(found) == 3000
        assert found[:2] == served(model).told("/score", {"text": lines[:2]})["lines"]
        assert found[-1] == found[1]

    def test_a_line_of_too_many_tokens_is_refused(self, served, model):
        asking = served(model, Limits(tokens=8))
        assert asking.post("/score", {"text": "a " * 7}).status == 200
        answer = asking.post("/score", {"text": ["a", "a " * 8]})
        assert answer.status == 400
        assert "line 2 has 9 tokens" in answer.record["error"]["message"]

    def test_text_that_cannot_be_read_is_refused(self, served, model):
        for line in ("a <s> b", "\ud800"):
            answer = served(model).post("/score", {"text": line})
            assert answer.status == 400
            assert answer.record["error"]["type"] == "invalid_request_error"


class TestNext:
    def test_the_likeliest_tokens_come_first(self, served, model):
        found = served(model).told("/next", {"context": "the", "top": 3})["tokens"]
        state = model.advance(model.start(1), [model.vocabulary.id_of("the")])
        log_probs = model.next_log_probs(state)[0]
        assert [one["log10_probability"] for one in found] == pytest.approx(
            sorted(log_probs / LN10, reverse=True)[:3]
        )
        assert [one["probability"] for one in found] == pytest.approx(
            [10 ** one["log10_probability"] for one in found]
        )
        assert found[0]["token"] == "cat" and found[0]["id"] == model.vocabulary.id_of("cat")

    def test_all_of_them_sum_to_one(self, served, model):
        found = served(model).told("/next", {"context": "the zebra", "top": 1000})["tokens"]
        assert sum(one["probability"] for one in found) == pytest.approx(1)

    def test_those_that_begin_so(self, served, model):
        found = served(model).told("/next", {"context": "a", "prefix": "s"})["tokens"]
        assert [one["token"] for one in found] == ["sat"]
        assert served(model).told("/next", {"prefix": "qq"}) == {"tokens": []}


class TestGenerate:
    @pytest.mark.parametrize("kind", ["model", "bytes_model", "network"])
    @pytest.mark.parametrize("more", [{}, {"top_k": 3}, {"lines": 3}])
    def test_the_seed_draws_what_the_library_draws(self, served, request, kind, more):
        model = request.getfixturevalue(kind)
        body = {"prompt": "the", "n": 3, "seed": 5, "max_tokens": 20, **more}
        found = served(model).told("/generate", body)
        from lmkit.sampling import Sampling

        sampling = Sampling(top_k=more.get("top_k"))
        expected = model.generate(
            3, prompt="the", max_tokens=20, seed=5, sampling=sampling, lines=more.get("lines", 1)
        )
        texts = [
            one.text.encode(errors="surrogateescape").decode(errors="replace") for one in expected
        ]
        assert [one["text"] for one in found["samples"]] == texts
        assert [one["log10_probability"] for one in found["samples"]] == pytest.approx(
            [one.log_probability / LN10 for one in expected], rel=1e-5
        )

    def test_the_pieces_of_a_stream_are_the_whole(self, served, bytes_model):
        body = {"prompt": "na", "n": 4, "seed": 3, "max_tokens": 30}
        whole = served(bytes_model).told("/generate", body)
        answer = served(bytes_model).post("/generate", {**body, "stream": True})
        assert answer.headers["content-type"].startswith("text/event-stream")
        texts = ["na"] * 4
        for event in answer.events:
            texts[event["index"]] += event["text"]
        assert texts == [one["text"] for one in whole["samples"]]
        ends = {one["index"]: one for one in answer.events if "finish_reason" in one}
        assert [ends[n]["tokens"] for n in range(4)] == [one["tokens"] for one in whole["samples"]]

    def test_a_seed_that_was_not_given_is_told(self, served, model):
        asking = served(model)
        first = asking.told("/generate", {"n": 3})
        again = asking.told("/generate", {"n": 3, "seed": first["seed"]})
        assert first == again

    def test_through_lines_draws_all_tokens(self, served, model):
        body = {"through_lines": True, "max_tokens": 40, "seed": 1}
        (sample,) = served(model).told("/generate", body)["samples"]
        assert (sample["tokens"], sample["finish_reason"]) == (40, "length")
        assert "\n" in sample["text"]

    def test_more_tokens_than_allowed_in_all_are_refused(self, served, model):
        answer = served(model, Limits(tokens=100)).post("/generate", {"n": 3, "max_tokens": 40})
        assert answer.status == 400
        assert answer.record["error"]["code"] == "too_many_tokens"


class TestCorrect:
    @pytest.mark.slow
    def test_it_corrects_as_the_library_does(self, served, tmp_path):
        import lmkit
        from tests.small_models import saved_bigrams

        lines = ["the cat sat on the mat"] * 50 + ["what is that"] * 20
        model = lmkit.load(saved_bigrams(tmp_path, lines))
        asking = served(model)
        typed = ["the cta sat on teh mat", "what is that"]
        found = asking.told("/correct", {"text": typed})["lines"]
        expected = lmkit.Corrector(model).correct(typed)
        assert [one["corrected"] for one in found] == [one.corrected for one in expected]
        assert [change["replacement"] for change in found[0]["changes"]] == [
            change.replacement for change in expected[0].changes
        ]

    def test_a_model_that_cannot_says_so(self, served, bytes_model):
        answer = served(bytes_model).post("/correct", {"text": "a"})
        assert answer.status == 404
        assert answer.record["error"]["code"] == "unsupported"


class TestWhatIsSaid:
    def test_models(self, served, model):
        asking = served(model)
        (listed,) = asking("GET", "/v1/models").record["data"]
        assert listed["id"] == "m.lm"
        assert asking("GET", "/v1/models/m.lm").record == listed
        assert asking("GET", "/v1/models/other").status == 404

    def test_the_description_has_every_path_and_its_example_works(self, served, model):
        asking = served(model)
        paths = asking("GET", "/openapi.json").record["paths"]
        assert set(paths) == {
            "/score", "/next", "/generate", "/correct", "/v1/completions", "/v1/models", "/health",
        }  # fmt: skip
        for path, methods in paths.items():
            if "post" in methods and path != "/correct":
                content = methods["post"]["requestBody"]["content"]["application/json"]
                for example in content["schema"]["examples"]:
                    assert asking.post(path, example).status == 200

    def test_the_page_needs_nothing_from_elsewhere(self, served, model):
        page = served(model)("GET", "/docs").body.decode()
        assert "<code>POST /v1/completions</code>" in page
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
        assert "@import" not in page and "url(" not in page

    def test_a_name_is_no_html(self, model):
        from lmkit.serving.endpoints import endpoints
        from lmkit.serving.page import page

        assert "<b>" not in page(endpoints(Limits()), "<b>.lm")

    def test_the_log_has_no_text_of_users(self, served, model):
        asking = served(model)
        asking.post("/score", {"text": "secret"})
        asking.post("/score", {"secret": "secret"})
        asking("GET", "/secret\n127.0.0.1 forged")
        asking("SECRET", "/score")
        assert len(asking.lines) == 4
        assert all("secret" not in line.lower() and "\n" not in line for line in asking.lines)
        assert asking.lines[0].startswith("127.0.0.1 POST /score 200 ")

    def test_infinite_figures_are_null(self, served, tmp_path):
        import lmkit

        text = tmp_path / "text.txt"
        text.write_text("a b\nb a\n")
        model = lmkit.train(text, order=2, smoothing="maximum-likelihood")
        (line,) = served(model).told("/score", {"text": "b b"})["lines"]
        assert line["log10_probability"] is None and line["perplexity"] is None
        body = {"prompt": "b b", "echo": True, "max_tokens": 0, "logprobs": 1}
        told = served(model).told("/v1/completions", body)["choices"][0]["logprobs"]
        assert told["token_logprobs"][1] == -9999.0
        assert json.dumps(told, allow_nan=False)


def test_lines_that_come_together_are_scored_together(model):
    from lmkit.serving.scoring import scored_together

    calls = []

    class Watched:
        def __getattr__(self, name):
            return getattr(model, name)

        def score(self, batch, state=None):
            calls.append(len(batch))
            return model.score(batch, state)

    requests = [(["the cat"], False), (["a dog", "naïve"], True), ([], False)]
    answers = scored_together(Watched(), requests, Limits())
    assert calls == [3]
    assert [len(one["lines"]) for one in answers] == [1, 2, 0]
    assert ["per_token" in line for one in answers for line in one["lines"]] == [False, True, True]
    alone = [scored_together(model, [one], Limits())[0] for one in requests]
    assert np.allclose(
        [line["log10_probability"] for one in answers for line in one["lines"]],
        [line["log10_probability"] for one in alone for line in one["lines"]],
    )


def test_a_text_that_cannot_be_read_fails_its_own_request_alone(model):
    from lmkit.errors import TextError
    from lmkit.serving.scoring import scored_together

    answers = scored_together(model, [(["a"], False), (["<s>"], False)], Limits())
    assert answers[0]["lines"][0]["tokens"] == 2
    assert isinstance(answers[1], TextError)
