"""What can be asked: each path with its form, its work and the shape of its answer."""

from __future__ import annotations

from dataclasses import dataclass

from lmkit.serving.forms import BOOLEAN, STRING, STRINGS, Field, Form, Schema
from lmkit.serving.limits import Limits

MOST_TOP = 1000
MOST_LOGPROBS = 20
MOST_STOPS = 16
_SEED = Field({"type": "integer", "minimum": 0, "maximum": 2**63 - 1}, "The same draws the same.")
_TOP_K = Field({"type": "integer", "minimum": 1}, "Draw from the K likeliest tokens only.")
_TOP_P = Field(
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "Draw from the fewest tokens that hold P of the probability.",
    1,
)
_TEMPERATURE = Field(
    {"type": "number", "minimum": 0, "maximum": 100},
    "Below 1 favours likely tokens; 0 takes the likeliest one each time.",
    1,
)
_STREAM = Field(BOOLEAN, "Send each piece as soon as it is there, as server-sent events.", False)
_LINES: Schema = {"anyOf": [STRING, STRINGS]}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path that takes a form. ``answer`` is the shape of what it answers."""

    path: str
    summary: str
    form: Form
    answer: Schema

    @property
    def streams(self) -> bool:
        """Whether it can answer piece by piece."""
        return "stream" in self.form.fields


def endpoints(limits: Limits) -> list[Endpoint]:
    """All paths that take a form."""
    return [_score(), _next(), _generate(limits), _correct(), _completions(limits)]


def _score() -> Endpoint:
    form = Form(
        "Score",
        {
            "text": Field(_LINES, "A line, or several; each is a sentence.", required=True),
            "per_token": Field(BOOLEAN, "Tell the figures of each token too.", False),
        },
        {"text": ["the cat sat", "sat cat the"]},
    )
    token = _object(token="string", id="integer", log10_probability="number?", oov="boolean")
    line = _object(
        tokens="integer", oovs="integer", log10_probability="number?", perplexity="number?"
    )
    line["properties"]["per_token"] = {"type": "array", "items": token}
    return Endpoint("/score", "Score each line.", form, _lines(line))


def _next() -> Endpoint:
    form = Form(
        "Next",
        {
            "context": Field(STRING, "What comes before, from the beginning of a line on.", ""),
            "top": Field(
                {"type": "integer", "minimum": 1, "maximum": MOST_TOP}, "How many tokens.", 10
            ),
            "prefix": Field(STRING, "Only tokens that begin so.", ""),
        },
        {"context": "the cat", "top": 3},
    )
    token = _object(token="string", id="integer", log10_probability="number", probability="number")
    answer = _object()
    answer["properties"]["tokens"] = {"type": "array", "items": token}
    return Endpoint("/next", "List the likeliest next tokens.", form, answer)


def _generate(limits: Limits) -> Endpoint:
    form = Form(
        "Generate",
        {
            "prompt": Field(STRING, "How each sample begins.", ""),
            "n": Field(_count(limits.tokens), "How many samples.", 1),
            "max_tokens": Field(
                _count(limits.tokens),
                "The most tokens that a sample draws.",
                min(50, limits.tokens),
            ),
            "temperature": _TEMPERATURE,
            "top_k": _TOP_K,
            "top_p": _TOP_P,
            "lines": Field(_count(limits.tokens), "Go on until so many lines have ended.", 1),
            "through_lines": Field(BOOLEAN, "Go on until max_tokens are drawn.", False),
            "unknown": Field(BOOLEAN, "Whether <unk> may be drawn.", False),
            "seed": _SEED,
            "stream": _STREAM,
        },
        {"prompt": "the", "n": 2, "seed": 1},
    )
    sample = _object(
        text="string", tokens="integer", log10_probability="number?", finish_reason="string"
    )
    answer = _object(seed="integer")
    answer["properties"]["samples"] = {"type": "array", "items": sample}
    return Endpoint("/generate", "Draw samples.", form, answer)


def _correct() -> Endpoint:
    form = Form(
        "Correct",
        {"text": Field(_LINES, "A line, or several.", required=True)},
        {"text": "teh cat"},
    )
    change = _object(
        offset="integer",
        length="integer",
        original="string",
        replacement="string",
        posterior="number?",
    )
    line = _object(corrected="string")
    line["properties"]["changes"] = {"type": "array", "items": change}
    return Endpoint("/correct", "Correct the spelling of each line.", form, _lines(line))


def _completions(limits: Limits) -> Endpoint:
    token: Schema = {"type": "integer", "minimum": 0}
    tokens: Schema = {"type": "array", "items": token}
    prompt: Schema = {
        "anyOf": [STRING, STRINGS, tokens, {"type": "array", "items": {**tokens, "minItems": 1}}]
    }
    neutral = Field({"enum": [0]}, "Not supported; 0 is taken.")
    form = Form(
        "Completion",
        {
            "model": Field(STRING, "Any name: there is one model."),
            "prompt": Field(prompt, "A text or token ids, or several of either.", ""),
            "max_tokens": Field(
                {"type": "integer", "minimum": 0, "maximum": limits.tokens},
                "The most tokens that a choice draws.",
                min(16, limits.tokens),
            ),
            "temperature": _TEMPERATURE,
            "top_p": _TOP_P,
            "top_k": _TOP_K,
            "n": Field(_count(min(128, limits.tokens)), "How many choices for each prompt.", 1),
            "best_of": Field({"enum": [1]}, "Not supported; 1 is taken."),
            "stop": Field(
                {"anyOf": [STRING, {**STRINGS, "maxItems": MOST_STOPS}]},
                "Texts that end a choice, and are no part of it.",
            ),
            "seed": _SEED,
            "logprobs": Field(
                {"type": "integer", "minimum": 0, "maximum": MOST_LOGPROBS},
                "Tell the log-probability of each token, and of so many of the likeliest.",
            ),
            "echo": Field(BOOLEAN, "Tell the prompt too.", False),
            "ignore_eos": Field(BOOLEAN, "Go on over line ends.", False),
            "stream": _STREAM,
            "stream_options": Field(
                {"type": "object", "properties": {"include_usage": BOOLEAN}},
                "include_usage: a last event with the usage.",
            ),
            "user": Field(STRING, "Ignored."),
            "suffix": Field({"enum": [""]}, "Not supported; an empty one is taken."),
            "presence_penalty": neutral,
            "frequency_penalty": neutral,
            "logit_bias": Field(
                {"type": "object", "maxProperties": 0}, "Not supported; an empty one is taken."
            ),
        },
        {"prompt": "the cat", "max_tokens": 8, "temperature": 0, "logprobs": 1},
    )
    choice = _object(index="integer", text="string", finish_reason="string?")
    choice["properties"]["logprobs"] = {"type": ["object", "null"]}
    usage = _object(prompt_tokens="integer", completion_tokens="integer", total_tokens="integer")
    answer = _object(id="string", object="string", created="integer", model="string")
    answer["properties"]["choices"] = {"type": "array", "items": choice}
    answer["properties"]["usage"] = usage
    return Endpoint("/v1/completions", "OpenAI's completions.", form, answer)


def _count(most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _lines(line: Schema) -> Schema:
    answer = _object()
    answer["properties"]["lines"] = {"type": "array", "items": line}
    answer["required"] = ["lines"]
    return answer


def _object(**kinds: str) -> Schema:
    """An object with these fields, all of which are there; ``?``: or null."""
    return {
        "type": "object",
        "properties": {
            name: {"type": [kind[:-1], "null"] if kind.endswith("?") else kind}
            for name, kind in kinds.items()
        },
        "required": list(kinds),
    }


def lines_of(text: str | list[str]) -> list[str]:
    """The lines of a field that takes one or several."""
    return [text] if isinstance(text, str) else text
