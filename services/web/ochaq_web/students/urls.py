"""Addresses of students."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.students import apis
from ochaq_web.students import internal as doors
from ochaq_web.students import pages as views

pages: list[URLPattern | URLResolver] = [
    path("students/", views.student_table, name="students"),
    path("students/test/", views.student_test, name="students-test"),
]
api: list[URLPattern | URLResolver] = [
    path("students/", apis.StudentsView.as_view(), name="api-students"),
    path("students/<int:student_id>/", apis.StudentDetailView.as_view(), name="api-student"),
]
internal: list[URLPattern | URLResolver] = [
    path("students/batches", doors.BatchesView.as_view(), name="internal-student-batches"),
    path("students/purges", doors.PurgesView.as_view(), name="internal-student-purges"),
    path("students/stream", doors.StreamView.as_view(), name="internal-student-stream"),
]
