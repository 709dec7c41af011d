"""Jobs and their timelines."""

import django.db.models.deletion
import django.db.models.functions.datetime
import ochaq_web.core.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.UUIDField(default=ochaq_web.core.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=64, verbose_name='kind')),
                ('queue', models.CharField(max_length=64, verbose_name='queue')),
                ('exclusive', models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='exclusive group')),
                ('params', models.JSONField(default=dict, verbose_name='parameters')),
                ('dedupe_key', models.CharField(blank=True, max_length=200, null=True, unique=True, verbose_name='dedupe key')),
                ('status', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='queued', max_length=16, verbose_name='status')),
                ('version', models.PositiveIntegerField(db_default=0, default=0)),
                ('attempt', models.PositiveIntegerField(db_default=0, default=0, verbose_name='attempt')),
                ('max_attempts', models.PositiveIntegerField(db_default=5, default=5, verbose_name='attempts allowed')),
                ('lost_leases', models.PositiveIntegerField(db_default=0, default=0, verbose_name='leases lost without getting on')),
                ('run_after', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='not before')),
                ('dispatched_at', models.DateTimeField(blank=True, null=True, verbose_name='last sent')),
                ('dispatches', models.PositiveIntegerField(db_default=0, default=0, verbose_name='times sent')),
                ('fence', models.PositiveBigIntegerField(db_default=0, default=0, verbose_name='fence')),
                ('lease_owner', models.CharField(blank=True, db_default='', default='', max_length=128, verbose_name='worker')),
                ('lease_until', models.DateTimeField(blank=True, null=True, verbose_name='lease until')),
                ('cancel_requested_at', models.DateTimeField(blank=True, null=True, verbose_name='cancel requested')),
                ('cancelled_by', models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='cancelled by')),
                ('progress_done', models.PositiveBigIntegerField(db_default=0, default=0, verbose_name='done')),
                ('progress_total', models.PositiveBigIntegerField(db_default=0, default=0, verbose_name='total')),
                ('progress_told_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('checkpoint', models.JSONField(blank=True, null=True, verbose_name='checkpoint')),
                ('result', models.JSONField(blank=True, null=True, verbose_name='result')),
                ('error', models.JSONField(blank=True, null=True, verbose_name='error')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('trace', models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='request id')),
                ('owner', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
            ],
            options={
                'verbose_name': 'job',
                'verbose_name_plural': 'jobs',
                'db_table': 'job',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='JobEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.PositiveIntegerField(verbose_name='number')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='at')),
                ('kind', models.CharField(max_length=32, verbose_name='event')),
                ('actor', models.CharField(blank=True, default='', max_length=128, verbose_name='actor')),
                ('data', models.JSONField(default=dict, verbose_name='data')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='jobs.job', verbose_name='job')),
            ],
            options={
                'verbose_name': 'job event',
                'verbose_name_plural': 'job events',
                'db_table': 'job_event',
                'ordering': ('job', 'seq'),
            },
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['owner', '-id'], name='job_owner_newest'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['kind', '-id'], name='job_kind_newest'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('status__in', ('queued', 'running'))), fields=['status', 'run_after'], name='job_live'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('status__in', ('queued', 'running')), models.Q(('exclusive', ''), _negated=True)), fields=['exclusive', 'id'], name='job_exclusive_live'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['queued', 'running', 'succeeded', 'failed', 'cancelled'])), name='job_status_known'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lease_until__isnull', False), ('status', 'running')), models.Q(models.Q(('status', 'running'), _negated=True), ('lease_until__isnull', True)), _connector='OR'), name='job_lease_while_running'),
        ),
        migrations.AddConstraint(
            model_name='jobevent',
            constraint=models.UniqueConstraint(fields=('job', 'seq'), name='job_event_once'),
        ),
    ]
