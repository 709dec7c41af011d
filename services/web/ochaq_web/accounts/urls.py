"""Addresses of this app."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, path

from ochaq_web.accounts import apis, exchange
from ochaq_web.accounts import pages as views

tokens: list[URLPattern | URLResolver] = [
    path("", apis.TokenView.as_view(), name="token"),
    path("refresh/", apis.TokenRefreshView.as_view(), name="token_refresh"),
]

pages: list[URLPattern | URLResolver] = [
    path("accounts/login/", views.Login.as_view(), name="login"),
    path("accounts/logout/", views.logout, name="logout"),
    path("accounts/profile/", views.profile, name="profile"),
    path("accounts/password/", views.PasswordChange.as_view(), name="password_change"),
    path(
        "accounts/password/done/",
        auth.PasswordChangeDoneView.as_view(template_name="accounts/password_change_done.html"),
        name="password_change_done",
    ),
    path("accounts/reset/", views.PasswordReset.as_view(), name="password_reset"),
    path(
        "accounts/reset/sent/",
        auth.PasswordResetDoneView.as_view(template_name="accounts/password_reset_done.html"),
        name="password_reset_done",
    ),
    path("accounts/reset/<uidb64>/<token>/", views.PasswordResetConfirm.as_view(), name="password_reset_confirm"),
    path(
        "accounts/reset/done/",
        auth.PasswordResetCompleteView.as_view(template_name="accounts/password_reset_complete.html"),
        name="password_reset_complete",
    ),
]

api: list[URLPattern | URLResolver] = [
    path("users/me/", apis.MeView.as_view(), name="me"),
]

internal: list[URLPattern | URLResolver] = [
    path("identity", exchange.identity, name="identity"),
]
