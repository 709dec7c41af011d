"""The shapes of the student doors."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ochaq_web.students.models import AGE_LEAST, AGE_MOST


class Age(serializers.IntegerField):
    """A JSON integer: neither `true`, nor `20.5`, nor `"20"`."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class StudentShape(serializers.Serializer):
    """A student as every door shows it."""

    id = serializers.IntegerField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    email = serializers.EmailField()
    age = serializers.IntegerField()
    demo = serializers.BooleanField()
    version = serializers.IntegerField()


class StudentPageShape(serializers.Serializer):
    results = StudentShape(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class StudentInput(serializers.Serializer):
    """What a manager may write. A name that is not here is refused, so that no one believes `demo` was set."""

    first_name = serializers.CharField(max_length=30)
    last_name = serializers.CharField(max_length=30)
    email = serializers.EmailField(max_length=254)
    age = Age(min_value=AGE_LEAST, max_value=AGE_MOST)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({name: ["Unknown name."] for name in unknown}, code="unknown")
        return super().to_internal_value(data)


class PurgeInput(serializers.Serializer):
    job = serializers.UUIDField()
    fence = serializers.IntegerField(min_value=1, max_value=2**53)
