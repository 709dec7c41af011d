"""Django REST framework and the description of the API."""

from ochaq_web import __version__

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "ochaq_web.accounts.authentication.BearerAuthentication",
        "ochaq_web.accounts.authentication.SessionAuthentication",
    ],
    # Default deny: a view that does not say who may use it answers 403 to everybody.
    "DEFAULT_PERMISSION_CLASSES": ["ochaq_web.core.policy.Nobody"],
    "DEFAULT_PARSER_CLASSES": ["ochaq_web.core.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["ochaq_web.core.rendering.HouseJSON"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ochaq_web.core.parsing.AlwaysJSON",
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "ochaq_web.core.problems.answer_api_exception",
    # Serializers leave times alone; the renderer writes all of them in one way.
    "DATETIME_FORMAT": None,
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Ochaq",
    "DESCRIPTION": "The live campus of a cooking school: one description of web, files and search.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SCHEMA_PATH_PREFIX": r"/api(/v1)?",
    "PREPROCESSING_HOOKS": ["ochaq_web.core.openapi.outward_only"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
