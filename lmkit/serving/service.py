"""A model, and the work that each path asks of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lmkit.model import LanguageModel
from lmkit.serving import scoring
from lmkit.serving.completions import Completion, Generation
from lmkit.serving.endpoints import lines_of
from lmkit.serving.limits import Limits
from lmkit.serving.refusals import Refused
from lmkit.serving.worker import Group, Job, Worker

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector

Record = dict[str, Any]


class Service:
    """``name`` is what clients read as the model's. ``failed`` is told of unexpected errors."""

    def __init__(
        self,
        model: LanguageModel,
        name: str,
        limits: Limits | None = None,
        failed: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self.model = model
        self.name = name
        self.limits = limits or Limits()
        self.worker = Worker(self.limits.queue, failed)
        self.corrector: Corrector | None = scoring.corrector_of(model)
        self._scoring = Group(
            self._score_together, lambda asked: scoring.size(asked[0]), scoring.TOGETHER
        )
        self._work: dict[str, Callable[[Record], Job]] = {
            "/score": self._score,
            "/next": self._next,
            "/generate": self._generate,
            "/correct": self._correct,
            "/v1/completions": self._complete,
        }

    def submit(self, path: str, asked: Record) -> Job:
        """Queue what the fields ``asked`` of ``path`` ask for; in the event loop. Raises `Refused`
        if it cannot be done or there is no place."""
        return self._work[path](asked)

    def _score(self, asked: Record) -> Job:
        lines, per_token = lines_of(asked["text"]), asked["per_token"]
        if scoring.may_join(self.model, lines):
            return self.worker.submit(group=self._scoring, payload=(lines, per_token))
        return self.worker.submit(scoring.scored(self.model, lines, per_token, self.limits))

    def _score_together(self, requests: Sequence[Any]) -> Sequence[Any]:
        return scoring.scored_together(self.model, requests, self.limits)

    def _next(self, asked: Record) -> Job:
        return self.worker.submit(
            scoring.next_tokens(
                self.model, asked["context"], asked["top"], asked["prefix"], self.limits
            )
        )

    def _generate(self, asked: Record) -> Job:
        work = Generation(self.model, asked, self.limits)
        return self._streamed(work, asked["stream"])

    def _complete(self, asked: Record) -> Job:
        work = Completion(self.model, self.name, asked, self.limits)
        return self._streamed(work, asked["stream"])

    def _streamed(self, work: Generation | Completion, streams: bool) -> Job:
        return self.worker.submit(work.events() if streams else work.answer(), streams=streams)

    def _correct(self, asked: Record) -> Job:
        if self.corrector is None:
            raise Refused(
                404,
                "this model corrects nothing: that takes a noisy channel, or a model of words",
                code="unsupported",
            )
        return self.worker.submit(scoring.corrections(self.corrector, lines_of(asked["text"])))
