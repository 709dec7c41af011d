"""Doors: signing in and out, passwords and the profile. Django's views with our services behind them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import views
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ochaq_web.accounts import services
from ochaq_web.accounts.forms import ProfileForm, SignInForm
from ochaq_web.core import policy


class Login(views.LoginView):
    template_name = "accounts/login.html"
    authentication_form = SignInForm

    def form_valid(self, form: Any) -> HttpResponse:
        services.session_start(self.request, form.get_user())
        response = HttpResponseRedirect(self.get_success_url())
        services.language_apply(response, form.get_user())
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        services.LOGINS.labels("page", "failed").inc()
        return super().form_invalid(form)


@require_POST
@never_cache
def logout(request: HttpRequest) -> HttpResponse:
    services.session_end(request)
    return redirect("/")


class PasswordChange(views.PasswordChangeView):
    template_name = "accounts/password_change.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        services.password_changed(self.request, form.save())
        return HttpResponseRedirect(self.get_success_url())


class PasswordReset(views.PasswordResetView):
    template_name = "accounts/password_reset.html"
    email_template_name = "registration/password_reset_email.html"


class PasswordResetConfirm(views.PasswordResetConfirmView):
    template_name = "accounts/password_reset_confirm.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        services.password_changed(None, form.user)
        return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@policy.page(policy.Act.PROFILE_USE)
def profile(request: HttpRequest) -> HttpResponse:
    """Name, handle, language and time zone of the signed-in user."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        messages.success(request, _("Saved."))
        response = redirect("profile")
        services.language_apply(response, user)
        return response
    return render(request, "accounts/profile.html", {"form": form}, status=422 if form.errors else 200)
