"""What operators want to know of things that live elsewhere."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class IndexState(models.Model):
    """The last rebuild of a search index, as `search.index.rebuilt` told it."""

    index = models.CharField(_("index"), max_length=64, primary_key=True)
    documents = models.BigIntegerField(_("documents"))
    seconds = models.FloatField(_("seconds"))
    job_id = models.UUIDField(_("job"), null=True, blank=True)
    rebuilt_at = models.DateTimeField(_("rebuilt"))

    class Meta:
        verbose_name = _("search index")
        verbose_name_plural = _("search indexes")
        ordering = ("index",)

    def __str__(self) -> str:
        return self.index
