"""The WSGI application that granian serves."""

from __future__ import annotations

import os

from ochaq_shared import postgres, telemetry

from ochaq_web.config.environment import environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ochaq_web.config.settings")
telemetry.configure("web", "serve", environment().log_level)

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from ochaq_web.core.serving import REQUEST_WAITS, Serving, die_with_parent  # noqa: E402

die_with_parent()
postgres.wait_at_most(REQUEST_WAITS)
_django = get_wsgi_application()
# Importing every view takes most of a second, which the first visitor need not wait for.
get_resolver().url_patterns  # noqa: B018
application = Serving(_django)
