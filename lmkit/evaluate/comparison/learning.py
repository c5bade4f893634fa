"""Learning curves: every model on growing parts of the training text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lmkit.api import load
from lmkit.errors import ExitCode, LmkitError
from lmkit.evaluate.comparison.corpus import split_facts, write_part, write_reference
from lmkit.evaluate.comparison.scoring import score_text
from lmkit.evaluate.comparison.specs import MIX, Spec
from lmkit.evaluate.comparison.training import Workshop, training_seconds
from lmkit.evaluate.curves import fit_power_law
from lmkit.evaluate.results import CurvePoint, LearningCurve, ModelResult, SplitFacts
from lmkit.measures import LN2

Begun = Callable[[int, int, str], None]


def learning_curves(
    workshop: Workshop,
    specs: Sequence[Spec],
    rows: Sequence[ModelResult],
    shares: Sequence[float],
    seed: int,
    begun: Begun | None = None,
) -> tuple[list[LearningCurve], list[str]]:
    """The curves of those ``specs`` that are trained, and notes on parts where one failed.

    ``shares`` are parts of the training text, above 0 and at most 1; on the whole text the
    figures are those of ``rows``. A network's time budget shrinks with its part.
    """
    whole = {row.name: row for row in rows if row.status == "ok"}
    models = [spec for spec in specs if spec.path is None and spec.backend != MIX]
    models = [spec for spec in models if spec.name in whole]
    models.sort(key=lambda spec: whole[spec.name].rank or 0)
    models = [_of_one_shape(spec, whole[spec.name]) for spec in models]
    parts = sorted(set(shares) - {1.0})
    texts = {share: _part(workshop, share) for share in parts}
    points: dict[str, list[CurvePoint]] = {spec.name: [] for spec in models}
    notes = []
    for number, share in enumerate(parts):
        for place, spec in enumerate(models, 1):
            if begun is not None:
                label = f"{spec.name} on {100 * share:g} %"
                begun(number * len(models) + place, len(parts) * len(models), label)
            try:
                points[spec.name].append(_point(workshop, spec, share, texts[share], seed))
            except LmkitError as error:
                if error.exit_code is ExitCode.INTERRUPTED:
                    raise
                notes.append(f"{spec.name} on {100 * share:g} % of the text: {error}")
    if 1.0 in shares:
        facts = workshop.corpus.facts.train
        for name, found in points.items():
            row = whole[name]
            assert row.bits_per_character is not None
            found.append(
                CurvePoint(
                    1.0,
                    facts.sentences,
                    facts.characters,
                    row.bits_per_character,
                    row.training_seconds,
                )
            )
    curves = [
        LearningCurve(
            name,
            found,
            fit_power_law(
                [point.characters for point in found],
                [point.bits_per_character for point in found],
            ),
        )
        for name, found in points.items()
    ]
    return curves, notes


def _of_one_shape(spec: Spec, row: ModelResult) -> Spec:
    """``spec`` with the preset that its network had on the whole text: a smaller part would get
    another one, and the curve would be of several models."""
    if not spec.is_network or "preset" in spec.options or row.file is None:
        return spec
    training = load(row.file).describe().get("training") or {}
    preset = training.get("preset")
    return spec if preset is None else replace(spec, options={**spec.options, "preset": preset})


def _part(workshop: Workshop, share: float) -> tuple[Path, SplitFacts]:
    """A part of the training text, and its sizes."""
    corpus = workshop.corpus
    name = f"train-{100 * share:g}-percent"
    raw = corpus.folder / f"{name}.txt"
    reference = corpus.folder / f"{name}.reference.txt"
    write_part(corpus.raw["train"], raw, share, corpus.errors)
    write_reference(raw, reference, corpus.settings, corpus.errors)
    return raw, split_facts(name, raw, reference)


def _point(
    workshop: Workshop,
    spec: Spec,
    share: float,
    text: tuple[Path, SplitFacts],
    seed: int,
) -> CurvePoint:
    path, facts = text
    if "time_budget" in spec.options:
        budget = round(spec.options["time_budget"] * share, 1)
        spec = replace(spec, options={**spec.options, "time_budget": max(budget, 0.5)})
    spec = replace(spec, name=f"{spec.name} part {100 * share:g}")
    made = workshop.make(spec, seed, path)
    scores = score_text(made.model, workshop.corpus)
    characters = workshop.corpus.facts.reference_characters
    bits = float(-scores.log_probabilities.sum() / LN2 / characters)
    return CurvePoint(share, facts.sentences, facts.characters, bits, training_seconds(made.model))
