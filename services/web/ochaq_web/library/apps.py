from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "ochaq_web.library"
    label = "library"
