"""Users, their sessions and their refresh tokens."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ochaq_web.core.models import new_id


def short_hash(secret: str) -> str:
    """What tokens, events and logs may carry of a session key or a token family: enough to tell, useless to steal."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


class UserQuerySet(models.QuerySet["User"]):
    def with_roles(self) -> UserQuerySet:
        """Each user with the names of its groups, in the same query."""
        return self.annotate(group_names=ArrayAgg("groups__name", filter=models.Q(groups__isnull=False), default=[]))

    def called(self, login: str) -> UserQuerySet:
        """The user with this e-mail address or handle, in any case; handles cannot hold an @."""
        column = "email" if "@" in login else "handle"
        return self.alias(login=Lower(column)).filter(login=login.lower())


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    use_in_migrations = False

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user: User = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        found: User = self.called(username or "").get()
        return found


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who can sign in. E-mail addresses and handles are unique whatever their case."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254)
    # Null where there is none: two empty handles would not be unique.
    handle = models.CharField(  # noqa: DJ001
        _("handle"),
        max_length=40,
        null=True,
        blank=True,
        validators=[RegexValidator(r"^[\w.-]{2,40}\Z", _("Letters, digits, dots, hyphens and underscores."))],
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=10, default="en")
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("A user who is not active is signed out everywhere at once.")
    )
    is_staff = models.BooleanField(_("may open the administration"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("email",)
        constraints = (
            models.UniqueConstraint(
                Lower("email"), name="accounts_user_email", violation_error_message=_("This e-mail address is taken.")
            ),
            models.UniqueConstraint(
                Lower("handle"), name="accounts_user_handle", violation_error_message=_("This handle is taken.")
            ),
        )

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.handle = self.handle or None

    @cached_property
    def role_names(self) -> frozenset[str]:
        """The names of this user's roles; free when the query said `with_roles()`."""
        known = getattr(self, "group_names", None)
        return frozenset(self.groups.values_list("name", flat=True) if known is None else known)

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email


class SessionManager(BaseSessionManager["Session"]):
    """Django's, under a type of our own."""


class Session(AbstractBaseSession):
    """A signed-in browser. Unlike Django's own table it knows whose it is, so that a user's sessions can be ended."""

    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, related_name="sessions")

    objects: ClassVar[SessionManager] = SessionManager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    @classmethod
    def get_session_store_class(cls) -> Any:
        from ochaq_web.accounts.sessions import SessionStore

        return SessionStore

    @property
    def short(self) -> str:
        return short_hash(self.session_key)


class TokenFamily(models.Model):
    """One sign-in of an API client: a chain of refresh tokens, each of which replaces the one before."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="token_families")
    # What access tokens carry as their session, so that a revoked family ends them too.
    session = models.CharField(max_length=16, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_because = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = _("API sign-in")
        verbose_name_plural = _("API sign-ins")
        indexes = (models.Index(fields=("expires_at",), name="accounts_family_expires"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.session}"


class RefreshToken(models.Model):
    """A refresh token that was handed out. Only its SHA-256 is kept: it is 256 random bits, which need no slow hash."""

    id = models.BigAutoField(primary_key=True)
    family = models.ForeignKey(TokenFamily, models.CASCADE, related_name="tokens")
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")

    def __str__(self) -> str:
        return f"{self.family_id} {self.pk}"
