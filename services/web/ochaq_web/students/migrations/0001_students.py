"""Students, what the bulk doors remember, and the numbers of the batch facts."""

import django.core.validators
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

# Numbers the facts about batches; taken under a lock, so the numbers follow the order of commits.
FEED_VERSION = "CREATE SEQUENCE student_feed_version AS integer"
# The demo rows are replaced as a whole time and again: vacuum them when a twentieth is dead, not a fifth.
OFTEN_REPLACED = "ALTER TABLE student SET (autovacuum_vacuum_scale_factor = 0.05)"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='StudentPurge',
            fields=[
                ('job_id', models.UUIDField(primary_key=True, serialize=False)),
                ('up_to_id', models.BigIntegerField()),
                ('removed', models.PositiveBigIntegerField(default=0)),
                ('done', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'student_purge',
            },
        ),
        migrations.CreateModel(
            name='Student',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_name', models.CharField(max_length=30, verbose_name='first name')),
                ('last_name', models.CharField(max_length=30, verbose_name='last name')),
                ('email', models.EmailField(max_length=254, verbose_name='e-mail')),
                ('age', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(120)], verbose_name='age')),
                ('demo', models.BooleanField(db_default=False, default=False, editable=False, verbose_name='demo')),
                ('version', models.PositiveIntegerField(db_default=1, default=1, editable=False, verbose_name='version')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='updated')),
            ],
            options={
                'verbose_name': 'student',
                'verbose_name_plural': 'students',
                'db_table': 'student',
                'ordering': ('id',),
                'indexes': [models.Index(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower('first_name'), 'C'), models.F('id'), name='student_first_name_folded'), models.Index(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower('last_name'), 'C'), models.F('id'), name='student_last_name_folded')],
                'constraints': [models.UniqueConstraint(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower('email'), 'C'), name='student_email_once', violation_error_message='Another student has this e-mail address.'), models.CheckConstraint(condition=models.Q(('age__gte', 1), ('age__lte', 120)), name='student_age_sane')],
            },
        ),
        migrations.CreateModel(
            name='StudentChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job_id', models.UUIDField()),
                ('chunk', models.PositiveIntegerField()),
                ('first_id', models.BigIntegerField()),
                ('last_id', models.BigIntegerField()),
                ('count', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'student_chunk',
                'constraints': [models.UniqueConstraint(fields=('job_id', 'chunk'), name='student_chunk_once')],
            },
        ),
        migrations.RunSQL(FEED_VERSION, "DROP SEQUENCE student_feed_version"),
        migrations.RunSQL(OFTEN_REPLACED, "ALTER TABLE student RESET (autovacuum_vacuum_scale_factor)"),
    ]
