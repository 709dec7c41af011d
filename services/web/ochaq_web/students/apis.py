"""Door: students for instructors and managers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, extend_schema
from ochaq_shared.problems import FieldError, Problem
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ochaq_web.core.idempotency import PARAMETER, idempotent
from ochaq_web.core.pagination import paginate
from ochaq_web.core.policy import Act, permission
from ochaq_web.students import selectors, services
from ochaq_web.students.facts import student_fields
from ochaq_web.students.selectors import MOST_QUERY, ORDERINGS, Wanted
from ochaq_web.students.serializers import StudentInput, StudentPageShape, StudentShape

FILTERS = [
    OpenApiParameter("q", str, description="prefix of a first name, a last name or an e-mail address"),
    OpenApiParameter("age_min", int),
    OpenApiParameter("age_max", int),
    OpenApiParameter("ordering", str, enum=[*ORDERINGS, *(f"-{name}" for name in ORDERINGS)]),
    OpenApiParameter("limit", int),
    OpenApiParameter("cursor", str),
]


class StudentView(APIView):
    """The permission all student doors share: staff read, managers write."""

    permission_classes = (permission(read=Act.STUDENTS_READ, write=Act.STUDENTS_WRITE),)


class StudentsView(StudentView):
    @extend_schema(operation_id="students_list", parameters=FILTERS, responses=StudentPageShape)
    def get(self, request: Request) -> Response:
        wanted = wanted_from(request)
        page = paginate(request, selectors.student_list(wanted), selectors.student_ordering(wanted))
        return Response(page.body([student_fields(student) for student in page.rows]))

    @extend_schema(
        operation_id="students_create", parameters=[PARAMETER], request=StudentInput, responses={201: StudentShape}
    )
    @idempotent
    def post(self, request: Request) -> Response:
        student = services.student_create(**_read(request))
        return Response(student_fields(student), status=201, headers={"Location": f"/api/v1/students/{student.id}/"})


class StudentDetailView(StudentView):
    @extend_schema(operation_id="students_detail", responses=StudentShape)
    def get(self, request: Request, student_id: int) -> Response:
        return Response(student_fields(selectors.student_by_id(student_id)))

    @extend_schema(
        operation_id="students_replace", parameters=[PARAMETER], request=StudentInput, responses=StudentShape
    )
    @idempotent
    def put(self, request: Request, student_id: int) -> Response:
        return self._change(student_id, _read(request))

    @extend_schema(
        operation_id="students_change",
        parameters=[PARAMETER],
        request=StudentInput(partial=True),
        responses=StudentShape,
    )
    @idempotent
    def patch(self, request: Request, student_id: int) -> Response:
        return self._change(student_id, _read(request, partial=True))

    @extend_schema(operation_id="students_remove", parameters=[PARAMETER], responses={204: None})
    @idempotent
    def delete(self, request: Request, student_id: int) -> Response:
        services.student_delete(student_id=student_id)
        return Response(status=204)

    def _change(self, student_id: int, changes: dict[str, Any]) -> Response:
        return Response(student_fields(services.student_update(student_id=student_id, changes=changes)))


def wanted_from(request: HttpRequest | Request) -> Wanted:
    """The list's filters; 422 for anything that is not one."""
    text = request.GET.get("q", "").strip()
    if len(text) > MOST_QUERY or "\x00" in text:
        raise Problem("request.invalid", errors=[FieldError("q", "invalid", f"At most {MOST_QUERY} characters.")])
    return Wanted(
        q=text,
        age_min=_age(request, "age_min"),
        age_max=_age(request, "age_max"),
        ordering=request.GET.get("ordering", "") or "id",
    )


def _age(request: HttpRequest | Request, name: str) -> int | None:
    text = request.GET.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise Problem("request.invalid", errors=[FieldError(name, "invalid", "A number from 0 to 999.")])
    return int(text)


def _read(request: Request, *, partial: bool = False) -> dict[str, Any]:
    read = StudentInput(data=request.data, partial=partial)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)
