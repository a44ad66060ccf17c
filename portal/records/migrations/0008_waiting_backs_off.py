from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0007_held_approval"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="rechecks",
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name="số lần chờ bằng chứng"),
        ),
        migrations.AddField(
            model_name="batch",
            name="evidence_mark",
            field=models.BigIntegerField(null=True, verbose_name="mốc bằng chứng"),
        ),
    ]
