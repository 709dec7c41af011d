"""Who is calling `/internal/v1/`: other services, by a token signed with their own key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ochaq_shared.identity import Identity, bearer
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from ochaq_web.core import identity, policy, problems


@dataclass(frozen=True)
class Service:
    """A calling service, in the place where DRF expects a user."""

    identity: Identity
    is_authenticated: bool = True
    is_service: bool = True

    @property
    def pk(self) -> str:
        return self.identity.subject

    @property
    def name(self) -> str:
        return self.identity.subject.removeprefix("service:")


class ServiceAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token for audience web>`. Users have no such token; one would be refused all the same."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        token = bearer(request.headers.get("Authorization"))
        if token is None:
            return None
        found = identity.internal_tokens().verify(token)
        return (Service(found, is_service=found.is_service), found)

    def authenticate_header(self, request: Request) -> str:
        return problems.AUTHENTICATE


class InternalView(APIView):
    """Base of every view under `/internal/v1/`: service tokens only; users and visitors get 403 and 401."""

    authentication_classes = (ServiceAuthentication,)
    permission_classes = (policy.ServicesOnly,)
    schema = None
