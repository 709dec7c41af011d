"""Doors: tokens and the signed-in user."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ochaq_web.accounts import services
from ochaq_web.core.policy import Act, permission

NO_STORE = {"Cache-Control": "no-store"}


class TokensOut(serializers.Serializer):
    """Access (10 minutes) and refresh (14 days, one use)."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class CredentialsIn(serializers.Serializer):
    """`username` is an e-mail address or a handle; `email` is its other name."""

    username = serializers.CharField(max_length=254, required=False)
    email = serializers.CharField(max_length=254, required=False)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("username") and not attrs.get("email"):
            raise serializers.ValidationError({"username": "Send username or email."}, code="required")
        return attrs


class RefreshIn(serializers.Serializer):
    refresh = serializers.CharField(max_length=512)


class Me(serializers.Serializer):
    """The signed-in user."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    handle = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    roles = serializers.SerializerMethodField()
    language = serializers.CharField()
    time_zone = serializers.CharField()

    def get_roles(self, user: Any) -> list[str]:
        return sorted(user.role_names)


class TokenView(APIView):
    """Sign an API client in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=CredentialsIn, responses=TokensOut)
    def post(self, request: Request) -> Response:
        wanted = CredentialsIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        login = wanted.validated_data.get("username") or wanted.validated_data["email"]
        tokens = services.tokens_for_credentials(login=login, password=wanted.validated_data["password"])
        return Response({"access": tokens.access, "refresh": tokens.refresh}, headers=NO_STORE)


class TokenRefreshView(APIView):
    """Exchange a refresh token for a new pair."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=RefreshIn, responses=TokensOut)
    def post(self, request: Request) -> Response:
        wanted = RefreshIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        tokens = services.tokens_refresh(refresh=wanted.validated_data["refresh"])
        return Response({"access": tokens.access, "refresh": tokens.refresh}, headers=NO_STORE)


class MeView(APIView):
    """Who am I."""

    permission_classes = (permission(read=Act.PROFILE_USE),)

    @extend_schema(responses=Me)
    def get(self, request: Request) -> Response:
        return Response(Me(request.user).data, headers={"Cache-Control": "private, no-store"})
