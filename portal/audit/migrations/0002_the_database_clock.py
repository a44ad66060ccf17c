"""The database's clock beside the application's.

Entries of before keep none (a default with the column would give them all the moment of the upgrade). The way back
leaves both columns where they are, unseen by the version before: nothing of the journal is ever thrown away, and blocks
sealed over the clock verify again after the next way forward.
"""

from django.db import migrations, models

import portal.audit.models


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    sql=[
                        "ALTER TABLE audit_entry ADD COLUMN IF NOT EXISTS written_at timestamptz NULL",
                        "ALTER TABLE audit_entry ALTER COLUMN written_at SET DEFAULT clock_timestamp()",
                        "ALTER TABLE audit_block ADD COLUMN IF NOT EXISTS leaf_format smallint NOT NULL DEFAULT 1",
                    ],
                    reverse_sql=migrations.RunSQL.noop,
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="entry",
                    name="written_at",
                    field=models.DateTimeField(
                        db_default=portal.audit.models.DatabaseClock(),
                        null=True,
                        verbose_name="ghi lúc (cơ sở dữ liệu)",
                    ),
                ),
                migrations.AddField(
                    model_name="block",
                    name="leaf_format",
                    field=models.SmallIntegerField(db_default=1, verbose_name="cách tính dòng"),
                ),
            ],
        ),
    ]
