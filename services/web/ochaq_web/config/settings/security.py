"""What browsers and proxies may do."""

from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from ochaq_web.config.environment import environment

DEBUG = False
SECRET_KEY = environment().secret_key.get_secret_value()


def _hosts() -> list[str]:
    urls = (environment().public_url, environment().web_url)
    named = {host for host in (urlsplit(url).hostname for url in urls) if host}
    # Loopback names are always ours: the gateway of one machine and the operator's curl use them.
    return sorted(named | {"127.0.0.1", "localhost", "[::1]", environment().bind_host})


ALLOWED_HOSTS = _hosts()
if environment().https:
    # The gateway overwrites this header, so a client cannot forge it.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Uploads go to the files service; what comes here is JSON and small forms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}
