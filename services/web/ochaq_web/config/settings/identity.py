"""Users, passwords and sessions."""

from ochaq_web.config.environment import environment

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["ochaq_web.accounts.backends.EmailOrHandle"]
# The hasher of design/identity.md: 39 ms on one core and 46 MiB, where Django's defaults take 285 ms and 100 MiB.
PASSWORD_HASHERS = [
    "ochaq_web.accounts.hashers.CampusArgon2",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# auth.W004: e-mail addresses are unique by a constraint on lower(email), which the check cannot see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

SESSION_ENGINE = "ochaq_web.accounts.sessions"
SESSION_CACHE_ALIAS = "sessions"
SESSION_COOKIE_NAME = "__Host-session" if environment().https else "sessionid"
SESSION_COOKIE_SECURE = environment().https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600

CSRF_COOKIE_NAME = "__Host-csrf" if environment().https else "csrftoken"
CSRF_COOKIE_SECURE = environment().https
# Scripts read the token from the page's meta element, so the cookie itself stays out of their reach.
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [environment().public_url]
CSRF_FAILURE_VIEW = "ochaq_web.core.problems.csrf_failure"

EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if environment().email_host
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = environment().email_host
EMAIL_PORT = environment().email_port
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = environment().email_from
