"""What lies between the word vectors and the softmax: recurrent layers, or a Transformer's blocks.

`Architecture.cell` says which: the name of a cell, or ``transformer``. The second reads from top
to bottom as the papers draw it: Vaswani et al. 2017, with the norms before each half of a block as
GPT-2 has them (Radford et al. 2019), and its first weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from lmkit.errors import UsageError
from lmkit.neural.arrays import check_options
from lmkit.neural.cells.base import Cell
from lmkit.neural.layer import Layer
from lmkit.neural.layers.attention import SelfAttention
from lmkit.neural.layers.compose import ByStream, Prenorm, Residual, Serial
from lmkit.neural.layers.dropout import Drop
from lmkit.neural.layers.feed_forward import FeedForward
from lmkit.neural.layers.normalisation import LayerNorm
from lmkit.neural.layers.positions import (
    ALiBi,
    Buckets,
    Learnt,
    Relative,
    Rotary,
    Sinusoidal,
)
from lmkit.neural.layers.recurrent import Recurrent
from lmkit.neural.layers.rms_norm import RMSNorm
from lmkit.neural.networks.architecture import Architecture
from lmkit.registry import resolve

TRANSFORMER = "transformer"

RELATIVE: dict[str, type[Relative]] = {
    "rotary": Rotary,
    "alibi": ALiBi,
    "t5": Buckets,
    "none": Relative,
}
"""Positions that attention itself knows."""
ABSOLUTE = ("sinusoidal", "learnt")
"""Positions that are added to the word vectors."""
POSITIONS = (*RELATIVE, *ABSOLUTE)
NORMS: dict[str, type[LayerNorm] | type[RMSNorm]] = {"layer": LayerNorm, "rms": RMSNorm}

MOST_CONTEXT = 1 << 16
"""Tokens that attention looks at: no weights bound them, but memory does."""

FIRST_WEIGHTS = ("width", "gpt2")
DEVIATION = 0.02
"""Of GPT-2's first weights, which are of layers some thousand units wide."""


@dataclass(frozen=True, slots=True)
class Body:
    """``layers``, from word vectors as wide as the architecture says to [H, N].

    ``cells``: those of recurrent layers. ``context``: how many steps attention looks at; None: it
    is recurrent, and forgets. ``limit``: after so many steps a text must begin anew, as its places
    are counted from its beginning; None: never.
    """

    layers: tuple[Layer, ...]
    cells: list[Cell] = field(default_factory=list)
    context: int | None = None
    limit: int | None = None


def make_body(architecture: Architecture) -> Body:
    """The body of ``architecture``. Raises `UsageError` where it has a shape that cannot be."""
    if architecture.cell == TRANSFORMER:
        return transformer(architecture)
    return recurrent(architecture)


def recurrent(a: Architecture) -> Body:
    """``layers`` of a cell, one on the other."""
    cell = resolve("cell", a.cell)
    widths = [a.embedding, *[a.hidden] * a.layers]
    cells: list[Cell] = [
        cell(widths[k], widths[k + 1], f"layer{k}.", **a.cell_options) for k in range(a.layers)
    ]
    return Body(tuple(layer for cell in cells for layer in (block(a, cell), Drop())), cells)


def block(architecture: Architecture, cell: Cell) -> Layer:
    """One recurrent layer, with what the ``architecture`` has around each."""
    layer: Layer = Recurrent(cell)
    if architecture.layer_norm:
        layer = Prenorm(LayerNorm(cell.inputs, f"{cell.prefix}norm."), layer)
    if architecture.residual and cell.inputs == cell.hidden:
        layer = Residual(layer)
    return layer


@dataclass(frozen=True, slots=True)
class Shape:
    """What `Architecture.cell_options` says of a Transformer.

    ``heads`` of each layer; ``context``: a step sees itself and so many, less one, before it;
    ``positions`` (`POSITIONS`), ``norm`` (`NORMS`), ``activation``; ``feed_forward``: the inner
    width, by default four times that of the layers (8/3 for swiglu, whose inner layer is two);
    ``post_norm``: norms behind each half of a block, as in 2017; ``bias``: linear maps have one.

    ``first_weights``: normal ones with a deviation of 1 / sqrt(width), as muP has them (Yang et al.
    2022), or with GPT-2's 0.02, which is too small for narrow layers. Those that write into the
    stream of residuals have it over the square root of how many do.
    """

    heads: int = 4
    context: int = 128
    positions: str = "rotary"
    norm: str = "rms"
    activation: str = "squared-relu"
    feed_forward: int | None = None
    post_norm: bool = False
    bias: bool = False
    first_weights: str = "width"

    def __post_init__(self) -> None:
        if self.heads < 1:
            raise UsageError(f"heads must be at least 1, not {self.heads}")
        if self.context < 2:
            raise UsageError(f"a context is of at least 2 tokens, not {self.context}")
        if self.context > MOST_CONTEXT:
            raise UsageError(
                f"a context is of at most {MOST_CONTEXT:,} tokens, not {self.context:,}",
                "--context 1024",
            )
        for kind, name, known in (
            ("kind of positions", self.positions, POSITIONS),
            ("norm", self.norm, tuple(NORMS)),
            ("rule for first weights", self.first_weights, FIRST_WEIGHTS),
        ):
            if name not in known:
                raise UsageError(f"there is no {kind} {name!r}", f"one of {', '.join(known)}")

    @classmethod
    def of(cls, options: dict[str, Any]) -> Shape:
        """Raises `UsageError` for an option that there is not, or a value out of range."""
        check_options("backend", TRANSFORMER, options, tuple(cls.__dataclass_fields__))
        return replace(cls(), **options)

    def inner(self, width: int) -> int:
        """The width of the feed-forward layer."""
        if self.feed_forward is not None:
            return self.feed_forward
        return max(8, width * 8 // 3 // 8 * 8) if self.activation == "swiglu" else 4 * width


def transformer(a: Architecture) -> Body:
    """Blocks of attention and a feed-forward layer, each around which residuals flow."""
    shape, width = Shape.of(a.cell_options), a.hidden
    if a.embedding != width:
        raise UsageError(
            f"word vectors of a transformer are as wide as its layers: {width}, not {a.embedding}",
            "leaving out --embedding-size",
        )
    deviation = DEVIATION if shape.first_weights == "gpt2" else width**-0.5
    # Two halves of each block write into the stream of residuals.
    deviations = deviation, deviation / (2 * a.layers) ** 0.5
    relative = RELATIVE.get(shape.positions, Relative)
    norm = NORMS[shape.norm]
    blocks: list[Layer] = []
    for k in range(a.layers):
        name = f"layer{k}."
        attention = SelfAttention(
            width,
            shape.heads,
            shape.context,
            f"{name}attention.",
            relative,
            shape.bias,
            deviations,
        )
        feed_forward = FeedForward(
            width,
            shape.inner(width),
            shape.activation,
            f"{name}feed_forward.",
            shape.bias,
            deviations,
        )
        for part, half in (("attention", attention), ("feed_forward", feed_forward)):
            before = norm(width, f"{name}{part}.norm.")
            if shape.post_norm:
                blocks += [Residual(Serial(half, Drop())), before]
            else:
                blocks.append(Residual(Serial(before, half, Drop())))
    if not shape.post_norm:
        blocks.append(norm(width, "norm."))
    places: list[Layer] = []
    if shape.positions == "sinusoidal":
        places.append(Sinusoidal(width))
    if shape.positions == "learnt":
        places.append(Learnt(width, shape.context, "positions"))
    return Body(
        (ByStream(Serial(*places, *blocks)),),
        context=shape.context,
        limit=shape.context if places else None,
    )
