"""The logit lens of one prompt: layer by position, the most probable token in each cell, colored by entropy."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from internal_physics.families.information.figures.tokens import NOTE, fitted, readable
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_ground
from internal_physics.figures.selection import require_columns
from internal_physics.ground.words import plural
from internal_physics.tables.rows import read_rows

MAX_POSITIONS, MAX_LAYERS = 11, 41
COLORMAP = "viridis"
_ROW_INCHES, _LEFT_INCHES, _RIGHT_INCHES = 0.165, 0.5, 0.75
_COLUMNS = ["layer", "position", "is_read", "token", "target", "entropy_nats", "top_token", "is_target", "status"]


def figures(inputs: Inputs, *, lens_prompts: Mapping[str, tuple[str, str]]) -> Figures:
    """One figure for each model, of its lens prompt (prompt set, prompt)."""
    for (model, prompt), path in zip(lens_prompts.items(), inputs["positions"], strict=True):
        yield model, draw(read_rows(path), model, *prompt)


def draw(positions: pd.DataFrame, model: str, prompt_set: str, prompt: str) -> Figure:
    """Draw the lens of one prompt, layer 0 at the bottom.

    Args:
        positions: rows of the lens of one model (see rows.position_rows).
        model: its name.
        prompt_set: of the prompt.
        prompt: its name.

    Returns:
        A figure of at most 11 positions up to (around a [MASK]) the read position, and 41 layers, evenly spaced.
        Cells whose token is the expected one have a frame: that which follows, or where the text ends the answer.
        Cells without a value are hatched.

    Raises:
        ValueError: columns are missing, or there is no such prompt.
    """
    require_columns(positions, ["prompt_set", "prompt", *_COLUMNS])
    rows = positions[(positions["prompt_set"] == prompt_set) & (positions["prompt"] == prompt)]
    if rows.empty:
        raise ValueError(f"the lens of {model} has no prompt {prompt_set}/{prompt}")
    return draw_positions(rows, f"Logit lens of {model} on {prompt_set}/{prompt}")


def draw_positions(rows: pd.DataFrame, title: str) -> Figure:
    """Draw the lens of one prompt from its rows alone.

    Args:
        rows: of one prompt (see rows.position_rows).
        title: of the figure.
    """
    shown = _shown(rows)
    n_positions, n_layers = shown["position"].nunique(), shown["layer"].nunique()
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES
        figure = style.new_figure(width, _ROW_INCHES * n_layers + 1.5)
        ax = figure.subplots()
        cell = min((width - _LEFT_INCHES - _RIGHT_INCHES) / n_positions, 1.2)
        _cells(figure, ax, shown, cell * 72 - 4)
        return style.finish(figure, title, _notes(rows, shown))


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The positions and layers that fit."""
    n_tokens, read = int(rows["position"].max()) + 1, int(rows.loc[rows["is_read"], "position"].iloc[0])
    first = max(0, min(read - MAX_POSITIONS // 2, n_tokens - MAX_POSITIONS))
    last_layer = int(rows["layer"].max())
    step = -(-last_layer // (MAX_LAYERS - 1)) if last_layer else 1
    layers = set(range(last_layer, -1, -step)) | {0}
    return rows[rows["position"].between(first, first + MAX_POSITIONS - 1) & rows["layer"].isin(layers)]


def _cells(figure: Figure, ax: Axes, shown: pd.DataFrame, width_points: float) -> None:
    entropy = shown.pivot(index="layer", columns="position", values="entropy_nats").sort_index()
    values = np.ma.masked_invalid(entropy.to_numpy(dtype=float))
    draw_ground(ax, *values.shape)
    highest = float(values.max()) if values.count() else 1.0
    norm = Normalize(0.0, highest if highest > 0 else 1.0)
    image = ax.imshow(values, aspect="auto", origin="lower", norm=norm, cmap=COLORMAP, zorder=1)
    rows = {layer: i for i, layer in enumerate(entropy.index)}
    columns = {position: i for i, position in enumerate(entropy.columns)}
    for cell in shown[np.isfinite(shown["entropy_nats"])].itertuples():
        x, y = columns[cell.position], rows[cell.layer]
        color = "white" if norm(cell.entropy_nats) < 0.6 else "black"
        text = fitted(cell.top_token, width_points)
        ax.text(x, y, text, color=color, ha="center", va="center_baseline", fontsize=8, gid="cell", zorder=3)
        if cell.is_target:
            frame = Rectangle((x - 0.47, y - 0.44), 0.94, 0.88, fill=False, edgecolor="#D55E00", linewidth=1.2)
            ax.add_patch(frame).set(zorder=2, gid="target")
    _dress(ax, shown, list(entropy.index), list(entropy.columns), width_points)
    bar = figure.colorbar(image, ax=ax, pad=0.015, fraction=0.04, aspect=30)
    bar.set_label("entropy (nats)")


def _dress(ax: Axes, shown: pd.DataFrame, layers: list[int], positions: list[int], width_points: float) -> None:
    first = shown[shown["layer"] == layers[0]].set_index("position")
    ax.tick_params(length=0)
    ax.set_yticks(range(len(layers)), labels=[str(layer) for layer in layers])
    ax.set_ylabel("residual l (0 = embedding)")
    tokens = [fitted(first["token"][position], width_points) for position in positions]
    ax.set_xticks(range(len(positions)), labels=tokens)
    ax.set_xlabel("token of the prompt at this position")
    targets = [fitted(t, width_points) if (t := first["target"][p]) else "" for p in positions]
    above = ax.secondary_xaxis("top")
    above.set_xticks(range(len(positions)), labels=targets)
    above.tick_params(length=0)
    above.spines["top"].set_visible(False)
    above.set_xlabel("expected token")


def _notes(rows: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    text = readable("".join(rows[rows["layer"] == rows["layer"].max()].sort_values("position")["token"]))
    notes = [
        f"Prompt: {text.replace('·', ' ')}",
        "In each cell the token that the readout of this residual finds most probable; the top row reads what leaves "
        "the last block. Framed: it is the expected token, where the text ends that of the prompt's answer. A word's "
        f"leading space is not shown. {NOTE}",
    ]
    n_tokens, n_layers = rows["position"].nunique(), rows["layer"].nunique()
    if shown["position"].nunique() < n_tokens or shown["layer"].nunique() < n_layers:
        notes.append(
            f"Shown: {shown['position'].nunique()} of {n_tokens} positions, {shown['layer'].nunique()} of "
            f"{n_layers} residuals."
        )
    if n_bad := int((~np.isfinite(shown["entropy_nats"])).sum()):
        notes.append(f"Hatched grey: {plural(n_bad, 'cell')} whose logits are not finite.")
    return notes
