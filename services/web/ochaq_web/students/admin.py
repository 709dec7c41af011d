"""Students in Django's admin: every change goes through the same rules as everywhere, so that it is told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from ochaq_web.students import services
from ochaq_web.students.models import Student


@admin.register(Student)
class StudentAdmin(admin.ModelAdmin):
    list_display = ("id", "first_name", "last_name", "email", "age", "demo")
    list_filter = ("demo", "age")
    search_fields = ("first_name__istartswith", "last_name__istartswith", "email__istartswith")
    readonly_fields = ("demo", "version", "created_at", "updated_at")
    show_full_result_count = False
    list_per_page = 50

    def save_model(self, request: HttpRequest, obj: Student, form: ModelForm, change: bool) -> None:
        fields = {name: getattr(obj, name) for name in services.WRITABLE}
        if change:
            services.student_update(student_id=obj.pk, changes=fields)
        else:
            obj.pk = services.student_create(**fields).pk

    def delete_model(self, request: HttpRequest, obj: Student) -> None:
        services.student_delete(student_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Student]) -> None:
        for student_id in queryset.values_list("pk", flat=True):
            services.student_delete(student_id=student_id)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).order_by("id")
