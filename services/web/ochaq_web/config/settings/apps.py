"""What this service is made of."""

INSTALLED_APPS = [
    "ochaq_web.core",
    "ochaq_web.accounts",
    "ochaq_web.cookbook",
    "ochaq_web.students",
    "ochaq_web.jobs",
    "ochaq_web.library",
    "ochaq_web.ops",
    "ochaq_web.lab",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "ochaq_web.core.middleware.RequestContext",
    "ochaq_web.core.internal.InternalDoors",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "ochaq_web.core.middleware.PageLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ochaq_web.core.middleware.ProblemAnswers",
]

ROOT_URLCONF = "ochaq_web.config.urls"
WSGI_APPLICATION = "ochaq_web.config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# structlog is configured by the composition root (main.py); Django must not put its own handlers beside it.
LOGGING_CONFIG = None
