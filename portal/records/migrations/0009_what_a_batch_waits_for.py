import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0008_waiting_backs_off"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="answers_mark",
            field=models.BigIntegerField(null=True, verbose_name="mốc câu trả lời"),
        ),
        migrations.AddField(
            model_name="batch",
            name="waits_for",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=64), null=True, size=None, verbose_name="chờ bằng chứng về"
            ),
        ),
    ]
