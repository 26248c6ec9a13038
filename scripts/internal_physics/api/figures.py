"""`ip.figures`: the report's figures of tables, and figures of traces. Each function returns a matplotlib Figure."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from internal_physics.api.checks import require_trace
from internal_physics.config.explain import require_options
from internal_physics.families import registry
from internal_physics.ground.errors import ConfigError, StoreError
from internal_physics.records.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = {
    "residual_norm": "norm of the residual\n(residual units, log)",
    "gradient_norm": "norm of the loss gradient\n(nats / residual unit, log)",
}
_SEEN: list[str] = []  # models of tables that belong to no run, in the order in which they were first drawn
_SWITCHES = ("title", "notes")


def names() -> list[str]:
    """Names of all figures."""
    return sorted([*registry.FIGURES, *_OWN])


@cache
def figure_named(name: str) -> Callable[..., "Figure"]:
    """The drawing function with this name.

    Raises:
        AttributeError: that lists the known names.
    """
    if name in _OWN:
        return _with_look(name, _OWN[name])
    if name not in registry.FIGURES:
        raise AttributeError(f"there is no figure {name!r}; there are {', '.join(names())}")
    draw = importlib.import_module(registry.figure_module(name)).draw
    return _with_look(name, _bound(draw, registry.FIGURES[name].options))


def trace_profile(traces: Trace | Iterable[Trace] | Mapping[str, Trace], quantity: str = "residual_norm") -> "Figure":
    """Draw the norm of the residual stream, or of its gradient, along depth: one line per trace.

    Args:
        traces: one, several, or a mapping from label to trace.
        quantity: residual_norm or gradient_norm; over all tokens of the residual together.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    from internal_physics.figures import style  # noqa: PLC0415

    require_options({"quantity": quantity}, {"quantity": {"enum": list(_LABELS)}}, "figures.trace_profile")
    labelled = _labelled(traces)
    looks = style.model_styles(list(labelled))
    with style.house_style():
        figure = style.new_figure(0.65 * style.PAGE_WIDTH_INCHES, 3.0)
        ax = figure.add_subplot()
        for label, trace in labelled.items():
            stream = trace.residuals() if quantity == "residual_norm" else trace.residual_gradients()
            norms = np.linalg.norm(stream.astype(np.float64), axis=(1, 2))
            ax.plot(norms, **looks[label].line(), label=style.literal(label))
        ax.set(xlabel="residual l (0 = embedding)", ylabel=_LABELS[quantity], yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(labelled) > 1:
            ax.legend()
        what = "Residual stream" if quantity == "residual_norm" else "Gradient of the loss in the residual stream"
        return style.finish(figure, f"{what} along depth", ["All tokens of a residual together."])


def lens(reading: Any) -> "Figure":
    """Draw a Lens of `ip.lens`: the most probable token of every residual and position, coloured by entropy.

    Args:
        reading: from `ip.lens`.
    """
    from internal_physics.families.information.figures.lens_heatmap import draw_positions  # noqa: PLC0415

    if not hasattr(reading, "frame") or not hasattr(reading, "token_texts"):
        raise StoreError(f"found a {type(reading).__name__}", where="figures.lens", expected="a Lens, from ip.lens")
    return draw_positions(reading.frame(), f"Logit lens of {reading.prompt}")


_OWN: dict[str, Callable[..., "Figure"]] = {"lens": lens, "trace_profile": trace_profile}


def _bound(draw: Callable[..., "Figure"], options: Mapping[str, Any]) -> Callable[..., "Figure"]:
    """The drawing function of one kind of figure, where its module draws several.

    What tells the kind from the others is no argument any more, or where it was optional, has another default.
    """
    signature = inspect.signature(draw)
    parameters = signature.parameters
    fixed = {name: value for name, value in options.items() if name in parameters}
    if not fixed:
        return draw
    required = [name for name in fixed if parameters[name].default is inspect.Parameter.empty]
    shown = signature.replace(
        parameters=[
            p.replace(default=fixed[name]) if name in fixed else p
            for name, p in parameters.items()
            if name not in required
        ]
    )

    def drawn(*args: Any, **kwargs: Any) -> "Figure":
        return draw(**{**fixed, **shown.bind(*args, **kwargs).arguments})

    drawn.__dict__["__signature__"] = shown
    drawn.__doc__ = _without_arguments(inspect.getdoc(draw) or "", required)
    return drawn


def _without_arguments(text: str, names: Iterable[str]) -> str:
    """A docstring without the lines under `Args:` on these arguments."""
    for name in names:
        text = re.sub(rf"^    {name}: .*\n(?:^     +\S.*\n)*", "", text, flags=re.MULTILINE)
    return text


def _with_look(name: str, draw: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """The drawing function with `title` and `notes`, settings of matplotlib, fixed colours, and errors in words."""
    signature = inspect.signature(draw)
    switches = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=True) for key in _SWITCHES]
    whole = signature.replace(parameters=[*signature.parameters.values(), *switches])
    rules = {key: {"type": "boolean"} if key in _SWITCHES else True for key in whole.parameters}

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> "Figure":
        from internal_physics.figures.look import Look, drawn_with  # noqa: PLC0415

        where = f"figures.{name}"
        require_options({key: kwargs[key] if key in _SWITCHES else None for key in kwargs}, rules, where)
        shown = {key: kwargs.pop(key, True) for key in _SWITCHES}
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ConfigError(str(error), where=where, expected=f"{name}{whole}") from None
        models = () if kwargs.get("models") is not None else _order([*args, *kwargs.values()])
        with drawn_with(Look(**shown, settings=_own_settings(), models=models)):
            try:
                return draw(*args, **kwargs)
            except (ValueError, KeyError) as error:
                raise ConfigError(str(error), where=where, expected=f"{name}{whole}") from error

    drawn.__dict__["__signature__"] = whole
    drawn.__doc__ = f"{inspect.getdoc(draw)}\n\ntitle=False and notes=False leave out the title and the notes beneath."
    return drawn


def _own_settings() -> dict[str, Any]:
    """The rcParams that the user has changed; they override the project's style."""
    import matplotlib as mpl  # noqa: PLC0415

    default = mpl.rcParamsDefault
    kept = (key for key in mpl.rcParams if not key.startswith(("backend", "interactive", "toolbar", "webagg")))
    return {key: mpl.rcParams[key] for key in kept if mpl.rcParams[key] != default[key]}


def _order(arguments: Iterable[Any]) -> tuple[str, ...]:
    """The models whose order fixes the colours: those of the table's run, otherwise in order of first use."""
    frames = [argument for argument in arguments if hasattr(argument, "columns") and "model" in argument.columns]
    for frame in frames:
        present, of_run = list(dict.fromkeys(frame["model"])), frame.attrs.get("models", [])
        if set(present) <= set(of_run):
            return tuple(of_run)
        _SEEN.extend(model for model in sorted(present) if model not in _SEEN)
    return tuple(_SEEN) if frames else ()


def _labelled(traces: Any) -> dict[str, Trace]:
    """Label → trace. Labels that are not given are the names of the prompts, of the models, or both."""
    if isinstance(traces, Mapping):
        labelled = {str(label): trace for label, trace in traces.items()}
    else:
        several = [traces] if isinstance(traces, Trace) else list(traces)
        for trace in several:
            require_trace(trace, "figures.trace_profile")
        forms = list(_forms(several))
        labels = next((form for form in forms if len(set(form)) == len(form)), [])
        labels = labels or [f"{label} ({i})" for i, label in enumerate(forms[-1])]
        labelled = dict(zip(labels, several, strict=True))
    for label, trace in labelled.items():
        require_trace(trace, f"figures.trace_profile → {label}")
    if not labelled:
        raise StoreError("no trace is given", where="figures.trace_profile", expected="one Trace at least")
    return labelled


def _forms(traces: list[Trace]) -> Iterator[list[str]]:
    infos = [trace.info for trace in traces]
    yield [info.prompt for info in infos]
    yield [str(info.labels.get("model", "")) for info in infos]
    yield [f"{info.labels.get('model', '')}, {info.labels.get('condition', '')}, {info.prompt}" for info in infos]
