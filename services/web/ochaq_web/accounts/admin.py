"""The administration's window on users, sessions and API sign-ins."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ochaq_web.accounts import services
from ochaq_web.accounts.models import Session, TokenFamily, User


class NewUserForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


class ChangedUserForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Users by e-mail address. Switching somebody off ends what they have open."""

    add_form = NewUserForm
    form = ChangedUserForm
    ordering = ("email",)
    list_display = ("email", "handle", "name", "roles", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("email", "handle", "name")
    readonly_fields = ("id", "last_login", "created_at")
    filter_horizontal = ("groups",)
    fieldsets = (
        (None, {"fields": ("id", "email", "handle", "name", "password")}),
        (_("Preferences"), {"fields": ("language", "time_zone")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "groups")}),
        (_("Dates"), {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
    actions = ("switch_off",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    @admin.action(description=_("Switch off: sign out everywhere, no sign-in"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        chosen = list(queryset.filter(is_active=True).exclude(pk=str(request.user.pk)))
        for user in chosen:
            services.user_deactivate(user=user)
        text = ngettext("%d user was switched off.", "%d users were switched off.", len(chosen))
        self.message_user(request, text % len(chosen), messages.SUCCESS)


class _ReadOnly(admin.ModelAdmin):
    """To look at, and to end by an action."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Session)
class SessionAdmin(_ReadOnly):
    """Session keys are secrets: only their short hash is shown."""

    list_display = ("short", "user", "expire_date")
    search_fields = ("user__email",)
    list_select_related = ("user",)
    fields = ("short", "user", "expire_date")
    ordering = ("-expire_date",)


@admin.register(TokenFamily)
class TokenFamilyAdmin(_ReadOnly):
    list_display = ("session", "user", "created_at", "expires_at", "revoked_at", "revoked_because")
    list_filter = ("revoked_because",)
    search_fields = ("user__email", "session")
    list_select_related = ("user",)
    ordering = ("-created_at",)
