"""The shapes of the job doors, as the described API shows them."""

from __future__ import annotations

from rest_framework import serializers

from ochaq_web.jobs.kinds import KINDS
from ochaq_web.jobs.models import Status


class ProgressShape(serializers.Serializer):
    done = serializers.IntegerField(min_value=0, max_value=2**53)
    total = serializers.IntegerField(min_value=0, max_value=2**53)


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
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment] # DRF keeps its own under that name
    pending_children = serializers.IntegerField()
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


class ReasonShape(serializers.Serializer):
    """Why somebody interferes; it stands in the job's timeline."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)
