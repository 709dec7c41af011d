"""The table that races fill and empty."""

import django.core.validators
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

# As on student: the comparison is of two ways to write, not of two tables.
OFTEN_REPLACED = "ALTER TABLE lab_student SET (autovacuum_vacuum_scale_factor = 0.05)"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='LabStudent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_name', models.CharField(max_length=30)),
                ('last_name', models.CharField(max_length=30)),
                ('email', models.EmailField(max_length=254)),
                ('age', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(120)])),
                ('demo', models.BooleanField(db_default=False, default=False, editable=False)),
                ('version', models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'db_table': 'lab_student',
                'ordering': ('id',),
                'indexes': [models.Index(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower('first_name'), 'C'), models.F('id'), name='lab_student_first_name_folded'), models.Index(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower('last_name'), 'C'), models.F('id'), name='lab_student_last_name_folded')],
                'constraints': [models.UniqueConstraint(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower('email'), 'C'), name='lab_student_email_once'), models.CheckConstraint(condition=models.Q(('age__gte', 1), ('age__lte', 120)), name='lab_student_age_sane')],
            },
        ),
        migrations.RunSQL(OFTEN_REPLACED, "ALTER TABLE lab_student RESET (autovacuum_vacuum_scale_factor)"),
    ]
