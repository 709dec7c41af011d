"""How the web service is put together: environment, Django settings, addresses, WSGI."""
