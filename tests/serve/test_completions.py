"""OpenAI's ``/v1/completions`` on models of every unit."""

from __future__ import annotations

import pytest

from lmkit.serving.limits import Limits

KINDS = ["model", "bytes_model", "network"]


@pytest.fixture(params=KINDS)
def any_model(request):
    return request.getfixturevalue(request.param)


def complete(asking, **body):
    return asking.told("/v1/completions", body)


class TestLogprobs:
    @pytest.mark.parametrize("line", ["the cat sat", "a zebra  sat.", "naïve", ""])
    def test_a_line_and_its_end_sum_to_its_score(self, served, any_model, line):
        body = {"prompt": f"{line}\n", "max_tokens": 0, "echo": True, "logprobs": 0}
        (choice,) = complete(served(any_model), **body)["choices"]
        told = choice["logprobs"]
        log_probs, _ = any_model.score(line)
        assert told["token_logprobs"] == pytest.approx(log_probs.tolist(), rel=1e-5)
        assert told["tokens"][-1] == "\n"

    def test_the_tokens_of_a_prompt_are_the_prompt(self, served, model):
        prompt = " the  cat\tsat,  zebra zebras .\nA the\n\nx"
        body = {"prompt": prompt, "max_tokens": 0, "echo": True, "logprobs": 1}
        (choice,) = complete(served(model), **body)["choices"]
        told = choice["logprobs"]
        assert choice["text"] == prompt == "".join(told["tokens"])
        assert told["tokens"] == [
            " the", "  cat", "\tsat", ",", "  zebra", " zebras", " .", "\n",
            "A", " the", "\n", "\n", "x",
        ]  # fmt: skip
        offsets = [sum(map(len, told["tokens"][:n])) for n in range(len(told["tokens"]))]
        assert told["text_offset"] == offsets

    def test_bytes_that_the_model_has_never_met_are_a_byte_long(self, served, bytes_model):
        body = {"prompt": "a日b\nc", "max_tokens": 0, "echo": True, "logprobs": 0}
        (choice,) = complete(served(bytes_model), **body)["choices"]
        told = choice["logprobs"]
        assert told["tokens"] == ["a", "日", "<unk>", "<unk>", "b", "\n", "c"]
        assert told["text_offset"] == [0, 1, 2, 2, 2, 3, 4]

    def test_what_was_drawn_goes_on_behind_the_prompt(self, served, any_model):
        body = {"prompt": "the", "max_tokens": 6, "echo": True, "logprobs": 1, "seed": 1}
        body["ignore_eos"] = True
        (choice,) = complete(served(any_model), **body)["choices"]
        told = choice["logprobs"]
        assert choice["text"].startswith("the")
        prompt_tokens = 3 if any_model.unit == "byte" else 1
        assert len(told["tokens"]) == len(told["text_offset"]) == prompt_tokens + 6
        assert told["text_offset"] == sorted(told["text_offset"])
        for token, at, behind in zip(
            told["tokens"], told["text_offset"], [*told["text_offset"][1:], None], strict=True
        ):
            if behind is not None and token != "</s>" and not token.startswith("<0x"):
                assert choice["text"][at : at + len(token)] == token

    def test_greedy_tokens_are_the_likeliest(self, served, any_model):
        body = {"prompt": "the", "max_tokens": 5, "logprobs": 3, "temperature": 0}
        (choice,) = complete(served(any_model), **body)["choices"]
        told = choice["logprobs"]
        for token, value, top in zip(
            told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True
        ):
            assert value == max(top.values()) == top[token]
            assert len(top) == 3

    def test_the_coldest_temperature_is_none(self, served, model):
        rest = {"prompt": "a", "max_tokens": 5, "seed": 1}
        found = [
            complete(served(model), **rest, temperature=temperature)["choices"]
            for temperature in (0, 5e-324, 1e-7)
        ]
        assert found == [found[0]] * 3

    def test_the_likeliest_are_told_besides_the_token(self, served, model):
        body = {"prompt": "zebra", "max_tokens": 0, "echo": True, "logprobs": 2}
        (choice,) = complete(served(model), **body)["choices"]
        (top,) = choice["logprobs"]["top_logprobs"]
        values = list(top.values())
        assert "zebra" in top and len(top) == 3
        assert values[:2] == sorted(model.next_log_probs(model.start(1))[0])[-1:-3:-1]

    def test_the_last_token_alone_is_drawn_as_evaluation_harnesses_ask(self, served, model):
        """Several prompts of token ids, echoed with one token more: sum up to the last one."""
        ids = [model.encoder.encode_prompt(text).tolist() for text in ("the cat sat", "a dog")]
        body = {"prompt": ids, "max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0}
        choices = complete(served(model), **body, seed=1234)["choices"]
        for text, choice in zip(("the cat sat", "a dog"), choices, strict=True):
            told = choice["logprobs"]["token_logprobs"]
            assert sum(told[:-1]) == pytest.approx(model.score(text)[0][:-1].sum())
            # Of the second word given the first:
            assert told[1] == pytest.approx(model.score(text)[0][1])


class TestPrompts:
    def test_texts_and_ids_are_the_same(self, served, any_model):
        asking = served(any_model)
        ids = any_model.encoder.encode_prompt("the cat").tolist()
        rest = {"max_tokens": 8, "temperature": 0}
        texts = [
            [choice["text"] for choice in complete(asking, prompt=prompt, **rest)["choices"]]
            for prompt in ("the cat", ids, [1, *ids], ["the cat"], [ids])
        ]
        assert texts == [texts[0]] * 5

    def test_choices_are_numbered_prompt_by_prompt(self, served, model):
        found = complete(served(model), prompt=["the", "a"], n=3, max_tokens=4, seed=2)
        assert [choice["index"] for choice in found["choices"]] == list(range(6))
        assert found["usage"]["prompt_tokens"] == 2
        assert found["usage"]["total_tokens"] == 2 + found["usage"]["completion_tokens"]

    @pytest.mark.parametrize("ids", [[10_000], [3, 1]])
    def test_ids_that_cannot_be(self, served, model, ids):
        answer = served(model).post("/v1/completions", {"prompt": ids})
        assert answer.status == 400
        assert answer.record["error"]["param"] == "prompt"

    @pytest.mark.parametrize("prompt", ["a " * 50, ["a " * 20] * 3, [3] * 50])
    def test_too_many_tokens(self, served, model, prompt):
        answer = served(model, Limits(tokens=40)).post("/v1/completions", {"prompt": prompt})
        assert answer.status == 400
        assert answer.record["error"]["code"] == "too_many_tokens"


class TestEnds:
    def test_the_end_of_a_line_or_of_the_tokens(self, served, model):
        asking = served(model)
        reasons = {
            choice["finish_reason"]: choice
            for choice in complete(asking, prompt="the", n=64, max_tokens=3, seed=1)["choices"]
        }
        assert set(reasons) == {"stop", "length"}
        assert all("\n" not in choice["text"] for choice in reasons.values())

    @pytest.mark.parametrize("stop", ["t", ["zz", "e"], "a"])
    def test_a_stop_is_no_part_of_the_text(self, served, any_model, stop):
        asking = served(any_model)
        rest = {"prompt": "the c", "seed": 4, "max_tokens": 30, "ignore_eos": True}
        (whole,) = complete(asking, **rest)["choices"]
        (cut,) = complete(asking, **rest, stop=stop)["choices"]
        places = [whole["text"].find(one) for one in ([stop] if isinstance(stop, str) else stop)]
        first = min(place for place in places if place >= 0)
        assert cut["text"] == whole["text"][:first]
        assert cut["finish_reason"] == "stop"
        events = asking.post("/v1/completions", {**rest, "stop": stop, "stream": True}).events
        assert "".join(event["choices"][0]["text"] for event in events) == cut["text"]

    def test_an_empty_stop_stops_nothing(self, served, model):
        rest = {"prompt": "the", "seed": 4, "max_tokens": 5}
        asking = served(model)
        assert complete(asking, **rest, stop=[""])["choices"] == complete(asking, **rest)["choices"]


class TestStreams:
    @pytest.mark.parametrize("logprobs", [None, 2])
    def test_the_pieces_are_the_whole(self, served, any_model, logprobs):
        asking = served(any_model)
        body = {"prompt": ["the", "na"], "n": 2, "max_tokens": 12, "seed": 7, "echo": True}
        body["logprobs"] = logprobs
        whole = complete(asking, **body)
        options = {"stream": True, "stream_options": {"include_usage": True}}
        *events, last = asking.post("/v1/completions", {**body, **options}).events
        assert last["choices"] == [] and last["usage"] == whole["usage"]
        for choice in whole["choices"]:
            pieces = [one["choices"][0] for one in events]
            mine = [piece for piece in pieces if piece["index"] == choice["index"]]
            assert "".join(piece["text"] for piece in mine) == choice["text"]
            assert [piece["finish_reason"] for piece in mine if piece["finish_reason"]] == [
                choice["finish_reason"]
            ]
            if logprobs:
                for name in ("tokens", "token_logprobs", "text_offset", "top_logprobs"):
                    told = [one for piece in mine for one in piece["logprobs"][name]]
                    assert told == choice["logprobs"][name]

    def test_what_is_refused_at_once_is_an_answer_like_any_other(self, served, model):
        answer = served(model).post("/v1/completions", {"prompt": [99_999], "stream": True})
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/json"
        assert answer.record["error"]["param"] == "prompt"


class TestRefusals:
    @pytest.mark.parametrize(
        "body, param",
        [
            ({"presence_penalty": 1}, "presence_penalty"),
            ({"best_of": 3}, "best_of"),
            ({"frequency_penalty": False}, "frequency_penalty"),
            ({"logit_bias": {"3": 1}}, "logit_bias"),
            ({"temperature": -1}, "temperature"),
            ({"temperature": True}, "temperature"),
            ({"max_tokens": 1.5}, "max_tokens"),
            ({"max_tokens": 5000}, "max_tokens"),
            ({"top_p": 0}, "top_p"),
            ({"logprobs": 21}, "logprobs"),
            ({"prompt": {"a": 1}}, "prompt"),
            ({"prompt": [[]]}, "prompt"),
            ({"prompt": ["a", 1]}, "prompt"),
            ({"temprature": 1}, "temprature"),
        ],
    )
    def test_in_the_shape_of_openai(self, served, model, body, param):
        answer = served(model).post("/v1/completions", body)
        assert answer.status == 400
        error = answer.record["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["param"], error["type"]) == (param, "invalid_request_error")

    def test_what_changes_nothing_is_taken(self, served, model):
        body = {"prompt": "a", "presence_penalty": 0, "logit_bias": {}, "best_of": 1, "n": None}
        assert served(model).post("/v1/completions", {**body, "user": "me"}).status == 200

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"n": NaN}', b"[" * 100_000])
    def test_what_is_no_json_object(self, served, model, body):
        answer = served(model).post("/v1/completions", body)
        assert answer.status == 400
        assert answer.record["error"]["code"] == "invalid_json"

    def test_a_model_without_next_tokens_says_so(self, served, channel):
        answer = served(channel).post("/v1/completions", {"prompt": "a"})
        assert answer.status == 400
        assert answer.record["error"]["code"] == "unsupported"
