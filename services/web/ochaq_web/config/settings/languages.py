"""Languages and time."""

from pathlib import Path

LOCALE_PATHS = [Path(__file__).parents[2] / "locale"]

_NAMES = [("en", "English"), ("tr", "Türkçe"), ("ru", "Русский"), ("uz", "Oʻzbekcha")]


def _translated(code: str) -> bool:
    return code == "en" or (LOCALE_PATHS[0] / code / "LC_MESSAGES" / "django.mo").exists()


# A language is offered once its catalogue exists: an untranslated page in a chosen language would be a lie.
LANGUAGES = [(code, name) for code, name in _NAMES if _translated(code)]
LANGUAGE_CODE = "en"
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
