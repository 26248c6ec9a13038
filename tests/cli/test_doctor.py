"""Command `doctor`: every check by itself, and the exit status."""

import json
import urllib.error
import urllib.request

import pytest
from internal_physics.api import doctor
from internal_physics.api.doctor import NOTE, OK, PROBLEM
from internal_physics.cli import commands

HEALTHY = {"torch": "2.13.0", "gpus": [], "nf4": True}


@pytest.fixture
def here(monkeypatch):
    """No other process, no network."""
    monkeypatch.setattr(doctor, "probe", lambda: HEALTHY)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_k: pytest.fail("the network was asked"))


def test_the_exit_status_says_whether_something_has_to_be_fixed(here, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "requirements", lambda: {"numpy": "2.0"})
    monkeypatch.setattr(doctor, "space_check", lambda what, *_: doctor.Check(what, OK, "enough"))
    assert commands.main(["doctor", "--offline", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == 0
    assert {"Python", "packages", "lock", "disk", "memory", "SLURM", "torch", "GPU", "model hub"} <= {
        check["name"] for check in found["checks"]
    }
    monkeypatch.setattr(doctor, "requirements", lambda: {"no-such-package": "1.0", "numpy": "999"})
    assert commands.main(["doctor", "--offline"]) == 1
    text = capsys.readouterr().out
    assert "✗ packages: missing or too old: no-such-package, numpy" in text
    assert "pip install --upgrade no-such-package numpy" in text
    assert "To be fixed: 1." in text


def test_pins_are_those_of_the_lock_and_requirements_those_of_the_project():
    pinned = doctor.pins()
    assert pinned["torch"][0].isdigit()
    required = doctor.requirements()
    assert {"torch", "transformers", "pandas"} <= set(required)
    assert "pytest" not in required
    assert all(required.values())


def test_a_package_that_differs_from_the_lock_is_a_note():
    check = doctor.lock_check({"a": "1.0", "b": "2.0", "c": "3"}, {"a": "1.0+cpu", "b": "2.1", "c": None})
    assert (check.status, check.found) == (NOTE, "1 differ: b 2.1 (lock: 2.0)")
    assert doctor.lock_check({"a": "1.0"}, {"a": "1.0+cpu"}).status == OK


@pytest.mark.parametrize(("version", "status"), [((3, 10, 9), PROBLEM), ((3, 11, 0), OK), ((3, 14, 1), OK)])
def test_python(version, status):
    assert doctor.python_check(version).status == status


@pytest.mark.parametrize(("free", "status"), [(10**8, PROBLEM), (3 * 10**9, NOTE), (10**10, OK)])
def test_space(free, status):
    assert doctor.space_check("disk", free, 5 * 10**9).status == status


@pytest.mark.parametrize(
    ("found", "statuses"),
    [
        (HEALTHY, [OK, NOTE, OK]),
        (HEALTHY | {"gpus": ["H100"]}, [OK, OK, OK]),
        ({"torch": "2", "gpus": [], "error": "ImportError: x"}, [OK, NOTE, NOTE]),
        ({"error": "ModuleNotFoundError: torch"}, [PROBLEM]),
    ],
)
def test_torch(found, statuses):
    assert [check.status for check in doctor.torch_checks(found)] == statuses


def test_the_hub(monkeypatch):
    def answers(error=None):
        def urlopen(*_arguments, timeout):
            assert timeout < 10
            if error:
                raise error
            return type("Answer", (), {"close": lambda _self: None})()

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return doctor.hub_check({}).status

    assert answers() == OK
    assert answers(urllib.error.HTTPError("", 403, "", {}, None)) == OK  # it answered
    assert answers(urllib.error.URLError("no route")) == NOTE
    assert answers(TimeoutError()) == NOTE
    assert "HF_HUB_OFFLINE" in doctor.hub_check({"HF_HUB_OFFLINE": "1"}).found
    assert doctor.hub_check({}, ask=False).found == "not asked"


def test_a_token_is_never_shown(monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_k: type("A", (), {"close": lambda _s: None})())
    check = doctor.hub_check({"HF_TOKEN": "hf_secret"})
    assert "hf_secret" not in str(check)
    assert check.found == "answers, with a token"


@pytest.mark.parametrize(
    ("sbatch", "plugin", "status"),
    [(None, None, NOTE), ("/usr/bin/sbatch", None, NOTE), ("/usr/bin/sbatch", "2.8", OK)],
)
def test_slurm(sbatch, plugin, status):
    assert doctor.slurm_check(sbatch, plugin).status == status


def test_the_probe_answers_whatever_happens(monkeypatch):
    monkeypatch.setattr(doctor, "_PROBE", "print('x')")
    assert doctor.probe() == {"error": "torch does not start"}
    monkeypatch.setattr(doctor, "_PROBE", 'print(\'{"torch": "2"}\')')
    assert doctor.probe() == {"torch": "2"}
