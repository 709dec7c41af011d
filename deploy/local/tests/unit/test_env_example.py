"""`.env.example` names every setting there is, and nothing else."""

import re

from ochaq_files.settings import FilesSettings
from ochaq_local.instance import CHECKOUT
from ochaq_realtime.settings import RealtimeSettings
from ochaq_search.settings import Settings as SearchSettings
from ochaq_shared.settings import ServiceSettings
from ochaq_web.config.environment import WebSettings
from ochaq_worker.settings import WorkerSettings

EXAMPLE = CHECKOUT / ".env.example"
MODELS = (ServiceSettings, WebSettings, WorkerSettings, RealtimeSettings, FilesSettings, SearchSettings)
SECRET = re.compile(r"PASSWORD|SECRET|ACCESS_KEY")


def _named(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#?(OCHAQ_[A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


def _of_the_code() -> set[str]:
    settings = {f"OCHAQ_{name.upper()}" for model in MODELS for name in model.model_fields}
    gateway = (CHECKOUT / "gateway" / "render.py").read_text()
    rates = {f"OCHAQ_RATE_{name}" for name in re.findall(r'"(\w+)": "\d+r/', gateway)}
    counts = {f"OCHAQ_{name}" for name in re.findall(r'"(MAX_\w+)": "\d+"', gateway)}
    return settings | rates | counts | {"OCHAQ_LOCAL"}


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert set(_named(EXAMPLE.read_text())) == _of_the_code()


def test_no_secret_in_it_is_usable() -> None:
    for name, value in _named(EXAMPLE.read_text()).items():
        if SECRET.search(name) or ("://" in value and "@" in value):
            assert not value or "<" in value, name
