"""Django's settings, as a table of contents. Values that differ between machines come from `config.environment`."""

from ochaq_web.config.settings.apps import *  # noqa: F403

from ochaq_web.config.settings.api import *  # noqa: F403  isort: skip
from ochaq_web.config.settings.identity import *  # noqa: F403  isort: skip
from ochaq_web.config.settings.languages import *  # noqa: F403  isort: skip
from ochaq_web.config.settings.pages import *  # noqa: F403  isort: skip
from ochaq_web.config.settings.security import *  # noqa: F403  isort: skip
from ochaq_web.config.settings.storage import *  # noqa: F403  isort: skip
