"""Figures as the report embeds them: a third of their size on disk, so that a page of a hundred can be sent by mail."""

import base64
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

N_COLORS = 256
_SCREEN = 96.0  # pixels an inch of an image that does not say its own


def data_uri(path: str | Path) -> str:
    """A PNG file as a data URI, reduced to `N_COLORS` of its own colors where that makes it smaller.

    Lines and letters are smoothed into tens of thousands of shades, which is most of a figure's size. An image that is
    transparent anywhere stays as it is: reducing it would put a color behind it.

    Raises:
        FileNotFoundError: if there is no such file.
        PIL.UnidentifiedImageError: if it is not an image.
    """
    original = Path(path).read_bytes()
    with Image.open(io.BytesIO(original)) as image:
        opaque = not image.has_transparency_data or image.convert("RGBA").getchannel("A").getextrema()[0] == 255
        shortest = min(original, _reduced(image), key=len) if opaque else original
    return f"data:image/png;base64,{base64.b64encode(shortest).decode('ascii')}"


def data_uris(paths: Iterable[str | Path], threads: int) -> dict[Path, str]:
    """`data_uri` of every file, as many at a time as there are threads: Pillow works outside of Python's lock."""
    files = [Path(path) for path in paths]
    with ThreadPoolExecutor(max(1, threads)) as pool:
        return dict(zip(files, pool.map(data_uri, files), strict=True))


def width_inches(path: str | Path) -> float:
    """Print width of a PNG file, to a hundredth.

    Raises:
        FileNotFoundError: if there is no such file.
        PIL.UnidentifiedImageError: if it is not an image.
    """
    with Image.open(path) as image:
        return round(image.width / image.info.get("dpi", (_SCREEN, _SCREEN))[0], 2)


def _reduced(image: Image.Image) -> bytes:
    # Half the time of the median cut, and a rare color moves by a quarter as much: each gets a box of its own.
    reduced = image.convert("RGB").quantize(N_COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG")
    return buffer.getvalue()
