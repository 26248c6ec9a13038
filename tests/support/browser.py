"""A headless Chromium driven over a pipe: pages from files, their console, their requests, keys and screenshots.

Chromium takes commands as JSON on file descriptor 3 and answers on 4, each message ended by a zero byte
(--remote-debugging-pipe). So nothing beyond the standard library is needed.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSIDE = ("data:", "blob:")  # addresses that hold their own content
TIMEOUT_S = 120  # of one answer, on a machine that does other things too


class BrowserError(AssertionError):
    """The browser is not there, does not answer, or a script in the page failed."""


def find_browser() -> str:
    """Path of the browser.

    Raises:
        BrowserError: if there is none.
    """
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise BrowserError("no Chromium; on Debian and Ubuntu: apt-get install chromium")


class Browser:
    """One running browser with one page. Use it as a context manager.

    Attributes:
        problems: what the page's console and its uncaught errors said.
        requests: addresses that the page asked for, besides its own.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._number, self._unread = 0, b""
        self._session: dict[str, str] = {}

    def __enter__(self) -> "Browser":
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        command = [
            *(find_browser(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}"),
            *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
            *("--disable-background-networking", "--disable-component-update", "about:blank"),
        ]
        redirected = ["sh", "-c", f'exec "$@" 3</dev/fd/{to_browser} 4>/dev/fd/{from_browser}', "sh", *command]
        self._process = subprocess.Popen(
            redirected, pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)
        self._profile.cleanup()

    def open(self, path: Path, fragment: str = "", *, width: int = 1300, height: int = 900) -> None:
        """Load a file, with what comes after # in its address, in a window of this size; returns when it is ready.

        The page says that it is ready by the attribute data-ready of its root.
        """
        self.problems, self.requests = [], []
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url="about:blank")  # else another fragment alone would not load the file anew
        self.call("Page.navigate", url=path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        self.wait_for("document.documentElement?.dataset.ready === 'yes'")

    def run(self, script: str) -> object:
        """The value of a JavaScript expression; a promise is waited for.

        Raises:
            BrowserError: if it throws.
        """
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(answer["exceptionDetails"].get("exception", {}).get("description", str(answer)))
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            BrowserError: after TIMEOUT_S, with what the console said.
        """
        end = time.monotonic() + TIMEOUT_S
        while not self.run(condition):
            if time.monotonic() > end:
                raise BrowserError(f"never true: {condition}; {self.problems}")
            time.sleep(0.05)

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place in the window, in pixels from its corner."""
        for step in (6, 3, 0):
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + step, y=y + step)

    def press(self, key: str, code: int) -> None:
        """Press and release a key, such as Tab (9)."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Save the page as PNG, whole or what the window shows of it."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def call(self, method: str, **params: object) -> dict:
        """One command of the DevTools protocol, and its answer; events that come before it are kept.

        Raises:
            BrowserError: if the browser refuses or ends.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def _read(self) -> dict:
        while b"\0" not in self._unread:
            part = os.read(self._in, 2**16)
            if not part:
                raise BrowserError("the browser ended")
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(params["exceptionDetails"].get("exception", {}).get("description", "error"))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(str([value.get("value") for value in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent" and params["type"] != "Document":
            url = params["request"]["url"]
            self.requests += [] if url.startswith(INSIDE) else [url]
