"""The shapes of the job doors: what the described API says, and what internal callers must send."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ochaq_web.jobs.kinds import KINDS
from ochaq_web.jobs.models import Status


class StrictInteger(serializers.IntegerField):
    """A JSON integer, and neither `true` nor `"1"`."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class ProgressShape(serializers.Serializer):
    done = StrictInteger(min_value=0, max_value=2**53)
    total = StrictInteger(min_value=0, max_value=2**53)


class JobShape(serializers.Serializer):
    """The job as every door shows it."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=sorted(KINDS))
    params = serializers.DictField()
    status = serializers.ChoiceField(choices=Status.values)
    progress = ProgressShape()
    result = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    owner = serializers.CharField()
    attempt = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class JobPageShape(serializers.Serializer):
    results = JobShape(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class JobStartShape(serializers.Serializer):
    kind = serializers.ChoiceField(choices=sorted(KINDS))
    params = serializers.DictField(required=False)


class ClaimInput(serializers.Serializer):
    worker = serializers.CharField(max_length=128)


class HeartbeatInput(serializers.Serializer):
    fence = StrictInteger(min_value=1, max_value=2**53)
    progress = ProgressShape(required=False, allow_null=True, default=None)
    checkpoint = serializers.DictField(required=False, allow_null=True, default=None)


class FinishInput(serializers.Serializer):
    fence = StrictInteger(min_value=1, max_value=2**53)
    status = serializers.ChoiceField(choices=("succeeded", "failed", "cancelled"))
    result = serializers.DictField(required=False, allow_null=True, default=None)
    error = serializers.DictField(required=False, allow_null=True, default=None)
