"""The relay is woken after the commit; when that fails, what was committed is still answered for."""

import psycopg
import pytest
from django.db import connection, transaction
from ochaq_web.config.environment import environment
from ochaq_web.students import facts
from ochaq_web.students.models import Student

pytestmark = pytest.mark.django_db(transaction=True)


def end_this_connection():
    """What a PostgreSQL that crashes right after a commit does to it."""
    with psycopg.connect(environment().database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.connection.info.backend_pid,))


def test_a_connection_that_dies_between_the_commit_and_the_wake_is_no_failure():
    with transaction.atomic():
        connection.on_commit(end_this_connection)
        student = Student.objects.create(first_name="Ada", last_name="Aşçı", email="ada@school.example", age=20)
        facts.tell_created(student)
    assert connection.connection.closed or not connection.is_usable()
    connection.close()
    assert Student.objects.filter(pk=student.pk).exists()
