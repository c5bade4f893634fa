"""The training loop: stretches in, updates out, with validation, checkpoints and a log."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import LmkitError
from lmkit.neural.arrays import Array
from lmkit.neural.blas import one_thread
from lmkit.neural.networks.language import Network
from lmkit.neural.optimizers.asgd import ASGD
from lmkit.neural.optimizers.base import Optimizer
from lmkit.neural.parameters import Parameters
from lmkit.neural.training.checkpoint import (
    fill_from,
    generator_state,
    load_checkpoint,
    restore_generator,
    save_checkpoint,
)
from lmkit.neural.training.course import PLACE, Diverged, Interrupted, Place, Report, Watch
from lmkit.neural.training.distillation import Teacher
from lmkit.neural.training.feed import Drawn, SentenceFeed, StreamFeed
from lmkit.neural.training.glance import glance
from lmkit.neural.training.interruption import Interruption
from lmkit.neural.training.options import Options
from lmkit.neural.training.schedules import Schedule
from lmkit.neural.training.stepper import Stepper
from lmkit.neural.training.validation import mean_loss
from lmkit.neural.tree import State, named, restored, select
from lmkit.neural.use.scoring import Scorer
from lmkit.registry import resolve
from lmkit.store.damage import damage
from lmkit.store.facts import check
from lmkit.threads import Team, parts

LOG_ROWS = 200
"""About how many rows the log of a training has, beside those of validations."""


class Trainer:
    """Trains the weights ``parameters`` of ``network`` on ``ids``.

    ``valid`` are held-out ids (may be None), of which a `glance` is looked at, ``corpus`` JSON
    facts that tell one text from another, ``drawn`` the text epoch by epoch. `run` leaves the
    best weights in ``parameters``.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        options: Options,
        ids: NDArray[np.int32],
        valid: NDArray[np.int32] | None,
        corpus: dict[str, Any],
        *,
        checkpoint: Path | None = None,
        watch: Watch | None = None,
        teacher: Teacher | None = None,
        drawn: Drawn | None = None,
    ) -> None:
        self.network = network
        self.parameters = parameters
        self.options = options
        self.valid = None if valid is None else glance(valid, network.architecture.vocabulary)
        self.corpus = corpus
        self.checkpoint = checkpoint
        self.watch = watch
        self.place = Place()
        self.log: list[dict[str, Any]] = []
        feed = SentenceFeed if options.by_sentence else StreamFeed
        self.feed: StreamFeed | SentenceFeed = feed(ids, options, drawn)
        self.team = Team(min(options.workers, self.feed.batch))
        self.optimizer: Optimizer = resolve("optimizer", options.optimizer)(
            options.weight_decay, **options.optimizer_options
        )
        self.optimizer.start(parameters.flat)
        if network.context is not None:
            # As Transformers are trained: biases, gains and the like do not decay.
            self.optimizer.spared = [
                parameters.place(name)
                for name, shape in parameters.shapes.items()
                if len(shape) < 2
            ]
        self.schedule: Schedule = resolve("schedule", options.schedule)(
            options.warmup, **options.schedule_options
        )
        seeds = np.random.SeedSequence([options.seed, 1]).spawn(self.team.workers + 1)
        self.generator = np.random.Generator(np.random.PCG64(seeds[0]))
        self.stepper = Stepper(
            network,
            parameters,
            self.optimizer,
            self.team,
            seeds[1:],
            dropout=options.rates,
            objective=options.objective,
            clip=options.clip,
            teacher=teacher,
        )
        self.rate = options.learning_rate or self.optimizer.default_rate
        self.best: Array | None = None
        self.states: list[State] = self._fresh_states()
        self._sums = [0.0, 0.0, 0.0]
        self._session = time.monotonic()
        self._saved = self._session
        self._latest = (math.nan, math.nan, 0.0)

    def _fresh_states(self) -> list[State]:
        widths = [part.stop - part.start for part in parts(self.feed.batch, self.team.workers)]
        if self.stepper.teacher is not None:
            self.stepper.teacher.begin(widths)
        dtype = self.parameters.flat.dtype
        return [self.network.start(width, dtype) for width in widths]

    def _carried(self) -> dict[str, list[State]]:
        """The states of each worker, the teacher's too, by what a checkpoint calls them."""
        teacher = self.stepper.teacher
        return {"state": self.states, "teacher": [] if teacher is None else teacher.states}

    def _stored_states(self) -> dict[str, Array]:
        """The carried states under the names that a checkpoint has them by."""
        return {
            full_name: part
            for name, workers in self._carried().items()
            for w, worker in enumerate(workers)
            for full_name, part in named(worker, f"{name}.{w}").items()
        }

    # -- the course -----------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Time spent on this training, in earlier sessions too."""
        return self.place.seconds + time.monotonic() - self._session

    @property
    def epoch(self) -> float:
        """Epochs done, with the part of the present one."""
        return self.place.epoch + self.place.position / self.feed.length

    @property
    def progress(self) -> float:
        """From 0 to 1: of the epochs or of the time, whichever is further."""
        done = 0.0
        if self.options.epochs is not None:
            done = self.epoch / self.options.epochs
        if self.options.time_budget is not None:
            seconds = self.seconds
            last = self.place.validation_seconds
            if not last and self.valid is not None and self.place.tokens:
                last = len(self.valid) * seconds / self.place.tokens / 3
            # The last validation must fit in as well.
            budget = max(self.options.time_budget - 1.2 * last, 0.5 * self.options.time_budget)
            done = max(done, seconds / budget)
        return min(done, 1.0)

    def resume(self) -> None:
        """Go on from the checkpoint. Raises `ModelFileError` where that is impossible."""
        assert self.checkpoint is not None
        facts, tensors, self.log = load_checkpoint(
            self.checkpoint, self.network.architecture, self.corpus
        )
        with damage(self.checkpoint):
            self._restore(facts, tensors)

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Array]) -> None:
        check(facts["place"], PLACE, "place")
        self.place = Place(**facts["place"])
        self._sums = list(map(float, facts["sums"]))
        fill_from(tensors, "weights", self.parameters.flat)
        if "best" in tensors:
            self.best = np.empty_like(self.parameters.flat)
            fill_from(tensors, "best", self.best)
        for name, slot in self.optimizer.slots.items():
            fill_from(tensors, f"optimizer.{name}", slot)
        self.optimizer.restore(facts["optimizer"])
        self.schedule.restore(facts["schedule"])
        generators = [self.generator, *self.stepper.generators]
        if len(facts["generators"]) != len(generators):
            raise LmkitError(
                f"the checkpoint is of {len(facts['generators']) - 1} workers,"
                f" not {len(generators) - 1}",
                f"--workers {len(facts['generators']) - 1}",
            )
        for generator, state in zip(generators, facts["generators"], strict=True):
            restore_generator(generator, state)
        self.feed.begin(self.place.epoch_seed, self.place.epoch == 0)
        if self.place.position > self.feed.length:
            raise ValueError("it is after the end of the text")
        for name, workers in self._carried().items():
            for w, worker in enumerate(workers):
                workers[w] = restored(worker, f"{name}.{w}", tensors)

    def save(self) -> None:
        """Write the checkpoint, where there is to be one."""
        if self.checkpoint is None:
            return
        self.place.seconds, self._session = self.seconds, time.monotonic()
        tensors = {"weights": self.parameters.flat}
        if self.best is not None:
            tensors["best"] = self.best
        for name, slot in self.optimizer.slots.items():
            tensors[f"optimizer.{name}"] = slot
        tensors |= self._stored_states()
        facts = {
            "architecture": self.network.architecture.as_dict(),
            "corpus": self.corpus,
            "options": self.options.as_dict(),
            "place": asdict(self.place),
            "sums": self._sums,
            "optimizer": self.optimizer.state(),
            "schedule": self.schedule.state(),
            "generators": [generator_state(g) for g in (self.generator, *self.stepper.generators)],
        }
        save_checkpoint(self.checkpoint, facts, tensors, self.log)
        self._saved = time.monotonic()

    def run(self) -> None:
        """Train to the end; the best weights are in ``parameters`` then.

        Raises `Diverged` where the loss explodes and `Interrupted` after Ctrl-C; in both cases
        the checkpoint has the last good weights.
        """
        try:
            with one_thread(), Interruption() as interruption:
                while not self.place.ended:
                    self._one_update()
                    if interruption.requested:
                        self._interrupt()
                    if time.monotonic() - self._saved >= self.options.checkpoint_every:
                        self.save()
                self.place.seconds, self._session = self.seconds, time.monotonic()
        finally:
            self.team.close()
        if self.best is not None:
            self.parameters.flat[...] = self.best
        else:
            self.parameters.flat[...] = self.optimizer.averaged(self.parameters.flat)

    def _interrupt(self) -> None:
        if self.checkpoint is None:
            raise KeyboardInterrupt
        self.save()
        raise Interrupted(
            f"interrupted after {self.place.updates:,} updates ({self.epoch:.2f} epochs);"
            f" they are in {self.checkpoint}",
            "the same command with --resume, to go on",
        )

    def _one_update(self) -> None:
        place = self.place
        if place.position == 0:
            if self.progress >= 1:
                self._end()
                return
            place.epoch_seed = int(self.generator.integers(1 << 62))
            self.feed.begin(place.epoch_seed, place.epoch == 0)
            self.states = self._fresh_states()
        stretch, position, anew = self.feed.next(place.position, self.generator)
        anew = anew or self.network.limit is not None
        if anew:
            self.states = self._fresh_states()
        shares = parts(stretch.inputs.shape[1], self.team.workers)
        states = _narrow(self.states, shares) if anew else self.states
        total, states = self.stepper.loss(stretch, states)
        count = stretch.inputs.size if stretch.weights is None else int(stretch.weights.sum())
        norm = self.stepper.norm()
        self._check(total / count, norm)
        rate = self.rate * self.schedule.factor(self.progress) * self.feed.rate_factor(stretch)
        self.stepper.update(rate, norm)
        if not anew:
            self.states = states
        place.position, place.updates, place.tokens = (
            position,
            place.updates + 1,
            place.tokens + count,
        )
        self._sums = [self._sums[0] + total, self._sums[1] + count, self._sums[2] + norm]
        self._latest = (total / count, norm, rate)
        if position >= self.feed.length:
            place.position, place.epoch = 0, place.epoch + 1
        self._after_update(rate)

    def _after_update(self, rate: float) -> None:
        """Log, validate and end where it is time to."""
        place = self.place
        progress = self.progress
        if progress * LOG_ROWS >= place.rows + 1:
            place.rows = int(progress * LOG_ROWS)
            self._log(rate)
        if progress >= 1:
            self._end()
        elif self._due():
            self._validate(rate)
            if self.schedule.exhausted or 0 < self.options.patience <= place.bad:
                self._end()
        if self.watch is not None:
            self.watch(self._report(progress))

    def _due(self) -> bool:
        """Whether it is time to validate: at the end of an epoch, or, as long as validation
        does not take more than a twentieth of the time, every million tokens."""
        since = self.place.tokens - self.place.tokens_at_validation
        if self.options.validate_every is not None:
            return since >= self.options.validate_every
        if self.valid is None:
            return False
        least = min(7 * len(self.valid), 3 * self.feed.tokens)
        return since >= least and (self.place.position == 0 or since >= 1_000_000)

    def _validate(self, rate: float) -> None:
        place = self.place
        place.tokens_at_validation = place.tokens
        if self.valid is None:
            return
        begun = time.monotonic()
        weights = self.optimizer.averaged(self.parameters.flat)
        loss = self._valid_loss(weights)
        place.validation_seconds = max(place.validation_seconds, time.monotonic() - begun)
        self._log(rate, loss)
        self.schedule.observe(loss)
        if place.best_loss is None or loss < place.best_loss:
            place.best_loss, place.best_epoch, place.bad = loss, self.epoch, 0
            if self.best is None:
                self.best = np.empty_like(weights)
            self.best[...] = weights
        else:
            place.bad += 1
            if isinstance(self.optimizer, ASGD):
                self.optimizer.trigger()

    def _valid_loss(self, weights: Array) -> float:
        """The loss on the held-out text, its halves on two threads where there are two."""
        assert self.valid is not None
        views = self.parameters.views_of(weights)
        shares = self.team.workers if len(self.valid) >= 1000 else 1
        pieces = [self.valid[part] for part in parts(len(self.valid), shares)]
        scorer = Scorer(self.network, views)
        losses = self.team.run([partial(mean_loss, scorer, ids) for ids in pieces])
        sizes = [len(ids) for ids in pieces]
        return float(np.average(losses, weights=sizes))

    def _end(self) -> None:
        if self.place.tokens > self.place.tokens_at_validation:
            self._validate(self._latest[2])
        self.place.ended = True

    # -- telling --------------------------------------------------------------------------

    def _check(self, loss: float, norm: float) -> None:
        limit = 3 * math.log(self.network.architecture.vocabulary) + 10
        if math.isfinite(norm) and loss < limit:
            return
        what = "no number (NaN)" if math.isnan(loss + norm) else f"{loss:.3g} nats a token"
        message = f"the loss is {what} at update {self.place.updates + 1:,}: training has diverged"
        if self.best is not None:
            self.parameters.flat[...] = self.best
        kept = ""
        if self.checkpoint is not None and (self.best is not None or self.checkpoint.exists()):
            if self.best is not None and np.isfinite(self.best).all():
                self.save()
            kept = f"; the last good weights are in {self.checkpoint}"
        raise Diverged(
            message + kept,
            f"a lower learning rate (--learning-rate {self.rate / 4:.2g}) or a smaller --clip",
        )

    def _log(self, rate: float, valid_loss: float | None = None) -> None:
        total, count, norms = self._sums
        updates = max(self.place.updates - (self.log[-1]["updates"] if self.log else 0), 1)
        self.log.append(
            {
                "updates": self.place.updates,
                "epoch": round(self.epoch, 4),
                "tokens": self.place.tokens,
                "seconds": round(self.seconds, 3),
                "loss": total / count if count else None,
                "gradient_norm": norms / updates if count else None,
                "learning_rate": rate,
                "valid_loss": valid_loss,
            }
        )
        self._sums = [0.0, 0.0, 0.0]

    def _report(self, progress: float) -> Report:
        seconds = self.seconds
        loss, norm, rate = self._latest
        return Report(
            progress,
            self.epoch,
            self.place.tokens / max(seconds, 1e-9),
            loss,
            norm,
            rate,
            self.place.best_loss,
            seconds * (1 - progress) / max(progress, 1e-9),
        )


def _narrow(states: list[State], shares: list[slice]) -> list[State]:
    """Fresh states for a last batch that is smaller than the others."""
    return [
        select(worker, slice(share.stop - share.start))
        for worker, share in zip(states, shares, strict=False)
    ]
