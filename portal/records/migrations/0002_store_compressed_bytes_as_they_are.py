"""Columns that hold zstd are stored out of line and not compressed a second time in vain."""

from django.db import migrations

COLUMNS = [("records_contentchunk", "data"), ("records_record", "data"), ("records_record", "report")]


class Migration(migrations.Migration):
    dependencies = [("records", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql=f'ALTER TABLE {table} ALTER COLUMN "{column}" SET STORAGE EXTERNAL',
            reverse_sql=f'ALTER TABLE {table} ALTER COLUMN "{column}" SET STORAGE EXTENDED',
        )
        for table, column in COLUMNS
    ]
